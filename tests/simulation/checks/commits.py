"""Checks every commit: what moved the fence, what had an effect, and what was held."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.fate import Fate
from consumers.runtime.records import Partition
from consumers.runtime.store.tables import DONE
from router.contract.identity import contradicts
from router.contract.wire import UndecodableRecord
from tests.simulation.broker.logs import Entry, EntryKind, LogId, ModelBroker
from tests.simulation.store.database import Session
from tests.simulation.store.rows import (
    EFFECTS,
    FENCES,
    HELD,
    OUTBOX,
    SEEN,
    EffectEntry,
    FenceEntry,
    HeldEntry,
    Table,
)
from tests.simulation.world.messages import SimMessage, Temper, read_message, serial_of

OUTCOME_TOPIC = "simulated.outcome"
UNKNOWN_CRC = -1

_REASONS: Mapping[str, set[Temper]] = {
    HeldReason.POISON: {Temper.POISON},
    HeldReason.EXHAUSTED: {Temper.HOPELESS, Temper.MENDED},
    HeldReason.UNREADABLE: {Temper.UNREADABLE},
}
"""Why a message of which temper may die."""


@dataclass(frozen=True)
class Effect:
    """An effect that was committed, in the order of the commits."""

    entry: EffectEntry
    message: SimMessage


@dataclass
class CommitCheck:
    """Sees every commit before it is visible."""

    broker: ModelBroker
    operator: object
    tell: Callable[[str], None]
    violations: list[str] = field(default_factory=list)
    effects: dict[UUID, Effect] = field(default_factory=dict)
    """The effects by event, in the order of their commits."""
    died: Counter[bytes | None] = field(default_factory=Counter)
    """Values of records, and how often each died."""
    reset: set[Partition] = field(default_factory=set)
    """Partitions that an operator had read again."""
    applied: set[int] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    released: set[int] = field(default_factory=set)
    """Records that died once: they have lost their place in the order of their key."""
    positions: dict[tuple[LogId, str], int] = field(default_factory=dict)
    places: dict[int, tuple[LogId, int]] = field(default_factory=dict)

    def accuse(self, text: str) -> None:
        """Report a violation."""
        self.violations.append(text)
        self.tell(f"VIOLATION: {text}")

    def is_settled(self, entry: Entry, held: Iterable[HeldEntry]) -> str | None:
        """Return why an entry may not be passed; None if it is applied, a repeat, or held."""
        serial = serial_of(entry.value)
        if not entry.is_shown or serial in self.applied or any(_holds(row, entry) for row in held):
            return None
        message = _message(entry.value)
        effect = None if message is None else self.effects.get(message.id)
        if message is None or effect is None:
            return f"record {serial} is passed without an effect, and is not held"
        if contradicts(effect.message.fingerprint, message.fingerprint):
            return f"record {serial} contradicts the first, and is passed as a repeat"
        return None

    def watch(self, session: Session) -> None:
        """Check a transaction that is about to be committed."""
        if session.owner == self.operator:
            for was, now in _changed(session, HELD):
                if was is not None and now is not None:
                    self.dead.discard(_serial(now))
            self.reset |= {now.fence.partition for _, now in _changed(session, FENCES)}
            return
        try:
            Commit(session, self).check()
        except Exception as error:  # noqa: BLE001 - a check that fails must not look like a fault
            self.accuse(f"the check of a commit fails: {error!r}")


@dataclass
class Commit:
    """One transaction."""

    session: Session
    known: CommitCheck

    def check(self) -> None:
        """Check it, and remember what it did."""
        held = list(_changed(self.session, HELD))
        fences = _changed(self.session, FENCES)
        passed = [history for was, now in fences for history in self._fence(was, now)]
        ended = {_serial(now) for was, now in held if was is not None and now is not None}
        self._effects({serial_of(e.value) for history in passed for e in history} | ended)
        for was, now in held:
            if now is not None:
                self._held(was, now)
        rows = [row for _, row in self.session.view.rows(HELD)] if passed else []
        for history in passed:
            problems = [self.known.is_settled(entry, rows) for entry in history]
            if problems and all(problems):
                self.known.accuse(str(problems[-1]))
        self._claims()
        self._outbox(held)

    # -- the fence -----------------------------------------------------------

    def _fence(self, was: FenceEntry | None, now: FenceEntry | None) -> Iterator[Sequence[Entry]]:
        """Check how a fence moves, and return what was ever at the offsets that it passes."""
        if was is None or now is None:
            return
        at, before, after = now.fence.partition, was.fence, now.fence
        if after.next_offset < before.next_offset:
            self.known.accuse(f"the fence of {at} goes back to {after.next_offset}")
        if before.topic_id not in {None, after.topic_id}:
            self.known.accuse(f"the fence of {at} changes its topic")
        outcomes = sum(getattr(now.counts, each.name) for each in fields(now.counts))
        if outcomes != after.next_offset - after.first_offset:
            self.known.accuse(f"the outcomes of {at} do not add up to the offsets passed")
        if after.topic_id is None:
            return
        self.known.broker.old[after.topic_id, at]
        yield from self._passed(was, now)

    def _passed(self, was: FenceEntry, now: FenceEntry) -> Iterator[Sequence[Entry]]:
        """Check the offsets that a fence passes, and return what was ever at each of them."""
        at, before, after = now.fence.partition, was.fence, now.fence
        if after.topic_id is None:
            return
        log, least, most = self.known.broker.old[after.topic_id, at], 0, 0
        for offset in range(before.next_offset, after.next_offset):
            history = log.history.get(offset, [])
            if not history:
                self.known.accuse(f"the fence of {at} passes {offset}, which never existed")
            # A log that was cut off had several entries at an offset; any may have been read.
            least += not any(entry.is_shown for entry in history)
            most += not all(entry.is_shown for entry in history)
            for entry in history:
                self.known.places[serial_of(entry.value)] = (after.topic_id, at), entry.order
            yield history
        gaps = now.counts.gaps - was.counts.gaps
        if not least <= gaps <= most:
            offsets = f"{before.next_offset} to {after.next_offset}"
            self.known.accuse(f"the fence of {at} counts {gaps} gaps from {offsets}, not {least}")

    # -- effects and claims --------------------------------------------------

    def _effects(self, justified: set[int]) -> None:
        for _, now in _changed(self.session, EFFECTS):
            if now is None:
                continue
            known = self.known
            if now.event_id in known.effects:
                known.accuse(f"the event of record {now.serial} has a second effect")
            if now.serial not in justified:
                known.accuse(f"record {now.serial} has an effect, but no fence passes it")
            if now.serial in known.dead and not self._was_reset(now.serial):
                known.accuse(f"record {now.serial} is dead and applied")
            message = _find(known.broker, now.serial)
            known.effects[now.event_id] = Effect(now, message)
            known.applied.add(now.serial)
            self._in_order(now)

    def _was_reset(self, serial: int) -> bool:
        """Return whether an operator had the log of a record read again.

        A dead record is tried again then; if it is applied, its row stays dead.
        """
        place = self.known.places.get(serial)
        return place is not None and place[0][1] in self.known.reset

    def _in_order(self, effect: EffectEntry) -> None:
        """Require the order of the log for the effects of a key."""
        known = self.known
        place = known.places.get(effect.serial)
        if place is None or effect.serial in known.released:
            return
        log, offset = place
        if offset < known.positions.get((log, effect.key), -1):
            known.accuse(f"record {effect.serial} is applied after a later one of its key")
        known.positions[log, effect.key] = offset

    def _claims(self) -> None:
        for (name, event_id), row in self.session.view.changes.items():
            if name == SEEN.name and row is not None and event_id not in self.known.effects:
                self.known.accuse("an event is claimed without an effect")

    # -- held records --------------------------------------------------------

    def _held(self, was: HeldEntry | None, now: HeldEntry) -> None:
        known, serial = self.known, _serial(now)
        if was is not None and was.state == Fate.DEAD and now.state != Fate.DEAD:
            known.accuse(f"record {serial} is not dead any more, and no operator has replayed it")
        if now.state == DONE:
            self._done(now, serial)
        if now.state == Fate.DEAD and (was is None or was.state != Fate.DEAD):
            self._died(now, serial)

    def _done(self, now: HeldEntry, serial: int) -> None:
        if now.outcome in {Fate.APPLIED, Fate.STALE}:
            rows = _changed(self.session, EFFECTS)
            if not any(effect.serial == serial for _, effect in rows):
                self.known.accuse(f"record {serial} is done as {now.outcome}, without an effect")
            return
        effect = None if now.event_id is None else self.known.effects.get(now.event_id)
        message = _message(now.record.value)
        if effect is None or message is None:
            self.known.accuse(f"record {serial} is done as a repeat of nothing")
        elif contradicts(effect.message.fingerprint, message.fingerprint):
            self.known.accuse(f"record {serial} contradicts the first, and is done as a repeat")

    def _died(self, now: HeldEntry, serial: int) -> None:
        known, message = self.known, _message(now.record.value)
        known.dead.add(serial)
        known.released.add(serial)
        known.died[now.record.value] += 1
        if serial in known.applied and not self._was_reset(serial):
            known.accuse(f"record {serial} is applied and dead")
        if now.reason == HeldReason.CONFLICT:
            effect = None if now.event_id is None else known.effects.get(now.event_id)
            if (
                effect is None
                or message is None
                or not contradicts(effect.message.fingerprint, message.fingerprint)
            ):
                known.accuse(f"record {serial} is dead for a conflict that does not exist")
            return
        temper = Temper.UNREADABLE if message is None else message.temper
        if now.reason != HeldReason.UNFETCHABLE and temper not in _REASONS.get(now.reason, set()):
            known.accuse(f"record {serial} ({temper.value}) is dead as {now.reason}")

    # -- the outbox ----------------------------------------------------------

    def _outbox(self, held: Sequence[tuple[HeldEntry | None, HeldEntry | None]]) -> None:
        new = [
            now for was, now in _changed(self.session, OUTBOX) if was is None and now is not None
        ]
        said = Counter(each.outgoing.value for each in new if each.outgoing.topic == OUTCOME_TOPIC)
        effects = [now for _, now in _changed(self.session, EFFECTS) if now is not None]
        if said != Counter(b"%d" % each.serial for each in effects):
            self.known.accuse("the outcomes in the outbox are not those of the effects")
        letters = Counter(e.outgoing.value for e in new if e.outgoing.topic != OUTCOME_TOPIC)
        died = Counter(
            now.record.value
            for was, now in held
            if now is not None
            and now.state == Fate.DEAD
            and (was is None or was.state != Fate.DEAD)
        )
        if letters != died:
            self.known.accuse("the dead letters in the outbox are not those that died")


def _changed(session: Session, table: "Table[Any, Any]") -> Iterator[tuple[Any, Any]]:
    """Iterate over the rows that a transaction changes: before and after."""
    committed = session.database.committed.rows(table)
    for (name, key), row in sorted(
        (item for item in session.view.changes.items() if item[0][0] == table.name),
        key=lambda item: item[0][1],
    ):
        assert name == table.name
        yield committed.get(key), row


def _holds(row: HeldEntry, entry: Entry) -> bool:
    if row.record.offset != entry.offset:
        return False
    unfetchable = entry.kind is EntryKind.DAMAGED and row.crc == UNKNOWN_CRC
    return unfetchable or row.record.value == entry.value


def _message(value: bytes | None) -> SimMessage | None:
    try:
        return read_message(value, ())
    except UndecodableRecord:
        return None


def _serial(row: HeldEntry) -> int:
    return -1 if row.record.value is None else serial_of(row.record.value)


def _find(broker: ModelBroker, serial: int) -> SimMessage:
    """Return the message of a record, from all that was ever appended."""
    for log in broker.old.values():
        for entries in log.history.values():
            for entry in entries:
                found = None if not entry.is_shown else _message(entry.value)
                if found is not None and found.serial == serial:
                    return found
    message = f"record {serial} was never appended"
    raise LookupError(message)
