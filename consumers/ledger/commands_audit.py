"""`payrouter ledger verify` and `payrouter ledger export`."""

import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime

import click

from consumers.ledger.export import COLUMNS, read_journal
from consumers.ledger.moments import from_option, to_option
from consumers.ledger.statement import Period
from consumers.ledger.verify import LISTED, VerificationResult
from consumers.ledger.verify import verify as recompute
from consumers.runtime.commands.one_consumer import (
    EXIT_PROBLEM,
    answered,
    json_option,
    show_json,
    show_table,
)
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading

PROGRESS_LINES = 50_000
"""After so many lines an export says how far it is."""


class _ReaderGone(Exception):  # noqa: N818 - named for what happened
    """Whoever read what is exported has seen enough; not to be taken for a lost database."""


@click.command
@json_option
@click.pass_obj
def verify(settings: ConsumerSettings, *, as_json: bool) -> None:
    """Recompute the books from the journal. Fails, with a list, where anything is wrong.

    Every transaction sums to zero per currency and has all its lines; the
    running balances are the sums of the postings; what each payment means is
    what its events have posted.
    """

    async def recomputed() -> VerificationResult:
        async with reading(settings, patient=True) as connection:
            return await recompute(connection)

    verdict = answered(recomputed())
    if as_json:
        show_json({"good": not verdict.faults, **asdict(verdict)})
    else:
        _show_verdict(verdict)
    sys.exit(EXIT_PROBLEM if verdict.faults else 0)


@click.command
@click.option("--format", "form", type=click.Choice(["csv"]), default="csv", show_default=True)
@from_option
@to_option
@click.pass_obj
def export(
    settings: ConsumerSettings, form: str, since: datetime | None, before: datetime | None
) -> None:
    """Write the journal to standard output, a posting per line, in its order.

    Amounts are text, exact to the last digit. How far it is stands on standard
    error.
    """
    del form  # there is one
    try:
        answered(_exported(settings, Period(since, before)))
    except _ReaderGone:
        raise BrokenPipeError from None


async def _exported(settings: ConsumerSettings, period: Period) -> None:
    written = 0
    writer = csv.writer(sys.stdout, lineterminator="\n")
    async with reading(settings, patient=True) as connection:
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
    )
    if verdict.unbooked:
        click.echo(
            f"{verdict.unbooked:,} not booked, since no amount is known:"
            " payrouter ledger statement --unbooked"
        )
