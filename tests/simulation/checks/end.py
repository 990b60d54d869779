"""Checks the end: everything is applied, said, and booked as the oracle does."""

from collections import Counter
from collections.abc import Iterable, Sequence

from consumers.runtime.fate import Fate
from tests.simulation.broker.logs import ModelBroker
from tests.simulation.broker.producer import LARGE
from tests.simulation.checks.commits import OUTCOME_TOPIC, CommitCheck, Effect
from tests.simulation.store.database import ModelDatabase
from tests.simulation.store.rows import ACCOUNTS, EFFECTS, FENCES, HELD, OUTBOX, AccountEntry


def unfinished(database: ModelDatabase, broker: ModelBroker) -> Sequence[str]:
    """Return what is still to do."""
    found = []
    fences = database.committed.rows(FENCES)
    for partition in broker.partitions():
        log, entry = broker.log(partition), fences.get(partition)
        topic_id = broker.topics[partition.topic].topic_id
        # A fence beyond the end of a log that was cut off is noticed when the log grows.
        if log.end and (entry is None or entry.fence.next_offset < log.end):
            found.append(f"{partition} is not applied to its end")
        elif entry is not None and entry.fence.topic_id not in {None, topic_id}:
            found.append(f"{partition} is still at another log")
    rows = database.committed.rows(HELD).values()
    found += [f"record {row.number} is still parked" for row in rows if row.state == Fate.PARKED]
    box = database.committed.rows(OUTBOX).values()
    found += ["the outbox is not empty" for entry in box if entry.refused is None][:1]
    return found


def problems_at_the_end(
    database: ModelDatabase, broker: ModelBroker, checks: CommitCheck
) -> Sequence[str]:
    """Return what differs from the oracle, which knows only the events that had an effect."""
    return [
        *_unsettled(database, broker, checks),
        *_differences_of_books(database, checks.effects.values()),
        *_unsaid(broker, database, checks),
    ]


def _unsettled(database: ModelDatabase, broker: ModelBroker, checks: CommitCheck) -> Sequence[str]:
    """Return the records of the logs that are neither applied, nor repeats, nor held."""
    rows = list(database.committed.rows(HELD).values())
    logs = [broker.log(each) for each in broker.partitions()]
    found = [checks.is_settled(entry, rows) for log in logs for entry in log.entries.values()]
    return [problem for problem in found if problem is not None]


def _differences_of_books(database: ModelDatabase, effects: Iterable[Effect]) -> Sequence[str]:
    expected: dict[str, AccountEntry] = {}
    for each in effects:
        was = expected.get(each.message.key, AccountEntry())
        paid = max(was.paid, each.message.paid)
        returned = max(was.returned, each.message.returned)
        expected[each.message.key] = AccountEntry(paid, returned)
    judged = {
        key: AccountEntry(each.paid, each.returned, _case(each)) for key, each in expected.items()
    }
    found = []
    if database.committed.rows(ACCOUNTS) != judged:
        found.append(f"booked {database.committed.rows(ACCOUNTS)}, but {judged} is right")
    amounts: Counter[str] = Counter()
    for row in database.committed.rows(EFFECTS).values():
        amounts[row.key] += row.amount
    if any(amounts[key] != each.paid - each.returned for key, each in judged.items()):
        found.append(f"the amounts booked add up to {dict(amounts)}, not to {judged}")
    return found


def _case(account: AccountEntry) -> str | None:
    """Return the case that the facts justify; not the consumer's own function, which is tested."""
    return "more was returned than paid" if account.paid < account.returned else None


def _unsaid(broker: ModelBroker, database: ModelDatabase, checks: CommitCheck) -> Sequence[str]:
    """Return what consumers should have published and did not, or the other way round."""
    found = []
    refused = [each for each in database.committed.rows(OUTBOX).values() if each.refused]
    if any(not (each.outgoing.key or b"").startswith(LARGE) for each in refused):
        found.append("a record was set aside that the broker accepts")
    said: dict[bytes | None, list[bytes | None]] = {}
    for entry in broker.sent.get(OUTCOME_TOPIC, []):
        own = said.setdefault(entry.key, [])
        if entry.value not in own:
            own.append(entry.value)
    expected: dict[bytes | None, list[bytes | None]] = {}
    for effect in checks.effects.values():
        key = effect.entry.key.encode()
        if not key.startswith(LARGE):
            expected.setdefault(key, []).append(b"%d" % effect.entry.serial)
    if said != expected:
        found.append(f"the outcomes said are {said}, not {expected}")
    letters = {e.value for topic, log in broker.sent.items() if topic != OUTCOME_TOPIC for e in log}
    aside = {each.outgoing.value for each in refused}
    if set(checks.died) - aside != letters - aside or not set(checks.died) >= letters:
        found.append("the dead letters sent are not of those that died")
    return found
