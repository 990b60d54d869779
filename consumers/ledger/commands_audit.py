"""Verifies and exports the journal."""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

import click

from consumers.ledger.reading.export import COLUMNS, read_journal
from consumers.ledger.reading.selection import Period
from consumers.ledger.reading.verify import LISTED, VerificationResult
from consumers.ledger.reading.verify import verify as recompute
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async

PROGRESS_LINES = 50_000
"""Number of postings between two progress reports of an export."""


class _ReaderGone(Exception):  # noqa: N818 - named for what happened
    """The reader closed the pipe. A separate type, since an OSError would mean a lost database."""


def verify_books(settings: ConsumerSettings, *, as_json: bool) -> None:
    """Print what is wrong with the books; exits with status 1 if anything is."""

    async def recomputed() -> VerificationResult:
        async with reading(settings.listing, patient=True) as connection:
            return await recompute(connection)

    verdict = run_async(recomputed())
    if as_json:
        show_json({"good": not verdict.faults, **asdict(verdict)})
    else:
        _show_verdict(verdict)
    sys.exit(EXIT_PROBLEM if verdict.faults else 0)


def export_journal(settings: ConsumerSettings, period: Period) -> None:
    """Write the postings of a period as CSV."""
    try:
        run_async(_exported(settings, period))
    except _ReaderGone:
        raise BrokenPipeError from None


async def _exported(settings: ConsumerSettings, period: Period) -> None:
    written = 0
    writer = csv.writer(sys.stdout, lineterminator="\n")
    async with reading(settings.listing, patient=True) as connection:
        _write(writer.writerow, COLUMNS)
        async for line in read_journal(connection, period):
            _write(writer.writerow, line)
            written += 1
            if written % PROGRESS_LINES == 0:
                click.echo(f"{written:,} postings", err=True)
    if written >= PROGRESS_LINES:
        click.echo(f"{written:,} postings, all of them", err=True)


def _write(write: Callable[[Sequence[str]], object], line: Sequence[str]) -> None:
    try:
        write(line)
    except BrokenPipeError as error:
        raise _ReaderGone from error


def _show_verdict(verdict: VerificationResult) -> None:
    if verdict.faults:
        show_table(
            f"the books are wrong: {len(verdict.faults)} found",
            ("kind", "where", "what"),
            [(fault.kind, fault.where, fault.what) for fault in verdict.faults],
        )
        if len(verdict.faults) >= LISTED:
            click.echo(f"of each kind, {LISTED} are listed at most")
    else:
        click.echo("the books are right")
    click.echo(
        f"recomputed: {verdict.transactions:,} transactions, {verdict.postings:,} postings,"
        f" {verdict.positions:,} payments and payouts"
        + (f", {verdict.transfers:,} transfers" if verdict.transfers else "")
    )
    if verdict.unbooked:
        click.echo(
            f"{verdict.unbooked:,} not booked because no amount is known:"
            " payrouter ledger statement --unbooked"
        )
