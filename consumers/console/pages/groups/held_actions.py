"""Actions about held records: retry parked ones now, replay dead ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.pages.groups.held_rows import (
    HELD_FILTERS,
    HeldEntry,
    asked_consumers,
    held_command,
    held_filter,
)
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.commands.actions.held_admin import (
    Filter,
    list_held,
    make_due,
    replay_now,
)
from consumers.runtime.fate import Fate
from router.terminal.typed import typed

MOST: Final = 1000
"""Records that one action is about, at most."""

_LINES: Final = 20
_IN_COMMAND: Final = 20
_ACTIONS: Final = {
    Fate.PARKED: ("retry", "payrouter parked retry", ()),
    Fate.DEAD: ("replay", "payrouter dlq replay", ("--yes",)),
}


def make_held_actions() -> Sequence[ConsoleAction]:
    """Return the action of each state."""
    return [
        ConsoleAction(
            name,
            f"groups.{name}",
            Role.OPERATOR,
            partial(_preview, state),
            partial(_run, state),
            back=f"/groups/{'parked' if state is Fate.PARKED else 'dead'}",
        )
        for state, (name, _, _) in _ACTIONS.items()
    ]


async def _preview(state: Fate, visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    found, left = await _named(state, visit, given)
    lines = [
        f"{each.consumer} {each.row.id}: {each.place}, {each.row.reason},"
        f" {visit.free_text(each.row.error)}"
        for each in found[:_LINES]
    ]
    return ActionPreview(
        count=len(found),
        accounts=frozenset(each.row.account for each in found),
        lines=lines,
        command=_command(state, visit, found),
        warning=visit.text("groups.more", most=MOST) if left else "",
        fields=FormFields(tuple(("id", each.id) for each in found)),
    )


async def _named(
    state: Fate, visit: ConsoleVisit, given: FormFields
) -> tuple[Sequence[HeldEntry], bool]:
    """Return the records that still have the state, and whether more match than an action takes."""
    filters = {each.name: given.one(each.name) for each in HELD_FILTERS if given.one(each.name)}
    everything = bool(given.one("all"))
    chosen = {} if everything else _numbers(visit, given.every("id")[:MOST])
    wanted = held_filter(visit, filters if everything else {})
    names = asked_consumers(visit, filters) if everything else sorted(chosen)
    found: list[HeldEntry] = []
    for name in names:
        own = replace(wanted, numbers=chosen.get(name, ()), limit=MOST + 1 - len(found))
        if own.limit <= 0:
            break
        async with visit.reading(name) as connection:
            tables = visit.sources.consumers[name].tables
            rows = await list_held(connection, tables, state, own)
        found += [HeldEntry(name, row) for row in rows if state is Fate.PARKED or row.is_whole]
    return found[:MOST], len(found) > MOST


def _numbers(visit: ConsoleVisit, ids: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """Return the numbers by consumer; raises WrongInput for an id that no list shows."""
    found: dict[str, list[int]] = defaultdict(list)
    for each in ids:
        name, _, number = each.rpartition(":")
        known = name in visit.sources.consumers and number.isascii() and number.isdigit()
        if not known or int(number) >= 1 << 63:
            field = "id"
            raise WrongInput(field, "ledger:17")
        found[name].append(int(number))
    return found


def _command(state: Fate, visit: ConsoleVisit, found: Sequence[HeldEntry]) -> str:
    _, command, flags = _ACTIONS[state]
    if not found:
        return held_command(state, visit, {})
    first = found[0].consumer
    numbers = [each.row.id for each in found if each.consumer == first][:_IN_COMMAND]
    named = [f"--id={number}" for number in numbers]
    return typed(command, [first], None, [*named, *flags])


async def _run(state: Fate, visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    found, _ = await _named(state, visit, given)
    done = 0
    for name in sorted({each.consumer for each in found}):
        numbers = [each.row.id for each in found if each.consumer == name]
        wanted = Filter(numbers=numbers, limit=MOST, accounts=visit.viewer.accounts)
        act = make_due if state is Fate.PARKED else replay_now
        async with visit.acting(name) as engine, engine.begin() as transaction:
            tables = visit.sources.consumers[name].tables
            done += len(await act(transaction, tables, wanted, visit.who, reason))
    return ActionDone(visit.count(f"groups.{_ACTIONS[state][0]}.done", done), "/groups/parked")
