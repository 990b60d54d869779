"""Where consumers are held up: an event that is looked for may be among what they cannot read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from consumers.runtime.configured import Consumer
from consumers.runtime.progress.reading import Standings, read_standings, read_stores
from consumers.runtime.progress.standing import Standing, State

STUCK_SECONDS = 30.0
"""How long a record may wait while nothing is applied."""


async def held_up(consumers: Sequence[Consumer]) -> Standings:
    """Ask stores and broker. Raises StoreUnavailable."""
    return await read_standings(await read_stores(consumers), STUCK_SECONDS)


def notes_of(standings: Standings) -> Sequence[str]:
    """Say which partitions hold records that some consumer does not get at."""
    return [*_withheld(standings), *_others(standings)]


def place_of(standings: Standings, name: str, topics: Iterable[str]) -> str | None:
    """Name the first place where one consumer is held up on some topics, and how."""
    wanted = set(topics)
    for each in _held_up(standings.of.get(name, ())):
        if each.partition.topic in wanted:
            return f"{each.partition} ({each.state})"
    return None


def _withheld(standings: Standings) -> Iterable[str]:
    """Say it once of each partition: it concerns every consumer."""
    found: Mapping[object, Standing] = {
        each.partition: each
        for rows in standings.of.values()
        for each in rows
        if each.state is State.WITHHELD
    }
    for partition, each in found.items():
        if each.bounds is not None:
            yield (
                f"{partition}: an open transaction withholds"
                f" {each.bounds.end - each.bounds.stable} records from offset"
                f" {each.bounds.stable} on; an event among them has reached no consumer yet"
            )


def _others(standings: Standings) -> Iterable[str]:
    """Say it once of each consumer and state: a consumer that is away is held up everywhere."""
    for name, rows in standings.of.items():
        by_state: dict[State, list[Standing]] = defaultdict(list)
        for each in _held_up(rows):
            if each.state is not State.WITHHELD:
                by_state[each.state].append(each)
        for state, found in by_state.items():
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield (
                f"{name} is held up on {found[0].partition}{more} ({state}), an event there has"
                f" not reached it: payrouter offsets show {name}"
            )


def _held_up(rows: Iterable[Standing]) -> Iterable[Standing]:
    """Return where records wait that will not be read by themselves, as far as is known."""
    for each in rows:
        held = each.trouble or each.state is State.WITHHELD
        if held and each.behind.records != 0:
            yield each
