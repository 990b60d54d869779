"""Lists and shows cases, with the counts of quarantined and refused deliveries."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import click

from consumers.runtime.casebook.advice import commands_of
from consumers.runtime.casebook.entry import CaseEntry
from consumers.runtime.casebook.gather import GatheredCases, gather_cases, gather_words
from consumers.runtime.casebook.reading import NO_ONE, CaseFilter
from consumers.runtime.casebook.stored_case import kinds_of
from consumers.runtime.casebook.wording import facts_text, kind_text, order_text, word_text
from consumers.runtime.commands.actions.case_named import case_named
from consumers.runtime.configured import Consumer
from consumers.runtime.trace.kept_count import KeptCounts, count_kept
from router.terminal.ages import age_text
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import quiet_aiokafka, show_fields, show_json, show_table
from router.terminal.processes import run_async

_COLUMNS = ("order", "case", "kind", "age", "facts")


@dataclass(frozen=True)
class CaseQuestion:
    """The options of `cases list`; empty and None match all."""

    names: Sequence[str] = ()
    kinds: Sequence[str] = ()
    account: str | None = None
    order: str | None = None
    hours: float = 0
    assigned_to: str | None = None
    unassigned: bool = False
    closed: bool = False
    limit: int = 100

    @property
    def filter(self) -> CaseFilter:
        """The conditions on the cases of a consumer."""
        return CaseFilter(
            kinds=self.kinds,
            account=self.account,
            order=self.order,
            older_than=timedelta(hours=self.hours),
            assignee=NO_ONE if self.unassigned else self.assigned_to,
            closed=self.closed,
            limit=self.limit,
        )

    @property
    def asks_for_deliveries(self) -> bool:
        """Whether quarantined and refused deliveries belong to the answer."""
        narrowed = self.names or self.kinds or self.order or self.closed
        return not (narrowed or self.assigned_to or self.unassigned)


def list_cases(
    consumers: Sequence[Consumer], question: CaseQuestion, newest: int, *, as_json: bool
) -> None:
    """Print the cases that match, one block per order; exits with 1 if a store is unavailable."""
    quiet_aiokafka()
    _require_known(consumers, question)
    chosen = [
        each for each in consumers if not question.names or each.service.name in question.names
    ]
    asks = question.asks_for_deliveries and newest > 0
    found, kept = run_async(_read(chosen, question, newest if asks else 0))
    entries = _by_order(found.entries)[: question.limit]
    omitted = found.unread + len(found.entries) - len(entries)
    if as_json:
        show_json(_as_json(entries, omitted, found, kept))
    else:
        _show(entries, omitted, closed=question.closed)
        _show_beside(found.away, kept)
    sys.exit(EXIT_PROBLEM if found.away else 0)


async def _read(
    consumers: Sequence[Consumer], question: CaseQuestion, newest: int
) -> tuple[GatheredCases, KeptCounts | None]:
    cases = gather_cases(consumers, question.filter)
    if not newest or not consumers:
        return await cases, None
    settings = consumers[0].settings
    return await asyncio.gather(cases, count_kept(settings, newest, question.account))


def _require_known(consumers: Sequence[Consumer], question: CaseQuestion) -> None:
    """Raise UsageError for a consumer or a kind that does not exist: it would match nothing."""
    kinds = sorted({kind for each in consumers for kind in kinds_of(each.service)})
    names = sorted(each.service.name for each in consumers)
    for what, given, known in (
        ("consumer", question.names, names),
        ("kind", question.kinds, kinds),
    ):
        for each in given:
            if each not in known:
                message = f"--{what}: there is no {what} {each}; there are {', '.join(known)}"
                raise click.UsageError(message)


def _by_order(entries: Sequence[CaseEntry]) -> Sequence[CaseEntry]:
    """Put the cases of an order next to each other; the order with the oldest case is first."""
    groups: dict[str, list[CaseEntry]] = {}
    for each in entries:
        groups.setdefault(order_text(each), []).append(each)
    return [each for group in groups.values() for each in group]


def _show(entries: Sequence[CaseEntry], omitted: int, *, closed: bool) -> None:
    now, rows = datetime.now(UTC), []
    for _, group in groupby(entries, key=order_text):
        rows += [[], *([*_cells(each, now)] for each in group)]
    state = "closed" if closed else "open"
    title = f"{len(entries)} {state} case{'' if len(entries) == 1 else 's'}"
    show_table(title, _COLUMNS, rows[1:], whole=("case", "age"))
    if omitted:
        click.echo(f"{omitted} more are not shown; --limit shows more")


def _cells(entry: CaseEntry, now: datetime) -> Sequence[str]:
    age = age_text(now - entry.since)
    return (order_text(entry), entry.id, kind_text(entry), age, facts_text(entry))


def _show_beside(away: Mapping[str, str], kept: KeptCounts | None) -> None:
    if kept is not None:
        for line in kept.sentences():
            click.echo(line)
    for name, why in sorted(away.items()):
        click.echo(f"{name} could not be read: {why}", err=True)


def _as_json(
    entries: Sequence[CaseEntry], omitted: int, found: GatheredCases, kept: KeptCounts | None
) -> dict[str, object]:
    now = datetime.now(UTC)
    return {
        "cases": [{**each.as_json(now), "commands": commands_of(each)} for each in entries],
        "omitted": omitted,
        "away": dict(found.away),
        "quarantine": None if kept is None else kept.quarantined.as_json(),
        "refused": None if kept is None else kept.refused.as_json(),
    }


def show_case(consumers: Sequence[Consumer], prefix: str, *, as_json: bool) -> None:
    """Print one case in full, with every word about it."""
    found = run_async(gather_cases(consumers, CaseFilter(id_prefix=prefix, closed=None)))
    entry = case_named(found, prefix)
    words = run_async(gather_words(consumers, entry))
    whole = {
        **entry.as_json(datetime.now(UTC)),
        "meaning": entry.kind.meaning,
        "page": f"docs/cases/{entry.kind.name}.md",
        "commands": commands_of(entry),
    }
    said = [{"consumer": name, **each.as_json()} for name, each in words]
    if as_json:
        show_json({**whole, "words": said})
        return
    commands = "\n".join(commands_of(entry))
    known = {name: value for name, value in whole.items() if value is not None}
    show_fields(f"case {entry.id}", {**known, "commands": commands})
    rows = [
        (each["at"], each["consumer"], each["who"], word_text(about), each["reason"])
        for each, (_, about) in zip(said, words, strict=True)
    ]
    if rows:
        show_table("decided", ("when", "consumer", "who", "word", "reason"), rows)
