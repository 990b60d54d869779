"""Bugs in fence, claims and holds."""

from tests.simulation.mutants.patch import Mutant, Patch

_PROCESS = "consumers.runtime.apply.process"
_PLAN = "consumers.runtime.apply.plan"
_OFFSETS = "consumers.runtime.apply.offsets"
_HELD = "consumers.runtime.apply.held"
_BOOKS = "tests.simulation.store.books"

NO_CLAIMS = Patch(_PROCESS, "Applier._claim", "new=place in claims.new", "new=True")
NO_COMPARE = Patch(
    _BOOKS,
    "ModelTransaction._moved",
    "entry is None or entry.fence.next_offset != fence.next_offset",
    "entry is None",
)
NO_COUNT_CHECK = Patch(
    _BOOKS,
    "ModelTransaction._moved",
    "if sum(getattr(total, n) for n in _COUNTS) != stored.next_offset - stored.first_offset:",
    "if False:",
)
NO_FENCE_LOCK = Patch(
    _BOOKS,
    "ModelTransaction.lock_fences",
    'await self.session.lock(("fence", at))',
    "pass",
)

APPLYING = (
    Mutant(
        "records below the fence",
        "fence",
        "records below the fence are processed again",
        Patch(
            _PROCESS,
            "Applier._apply",
            "[d for d in batch if d.record.offset >= fences[d.record.partition].next_offset]",
            "list(batch)",
        ),
    ),
    Mutant(
        "fence one too far",
        "fence",
        "the fence moves one offset too far",
        Patch(_OFFSETS, "moved_past", "last.offset + 1", "last.offset + 2"),
        (NO_COUNT_CHECK,),
        "the constraint that the outcomes add up to the offsets",
    ),
    Mutant(
        "fence one too short",
        "fence",
        "the fence stops at the last record instead of behind it",
        Patch(_OFFSETS, "moved_past", "last.offset + 1", "last.offset"),
        (NO_COUNT_CHECK,),
        "the constraint that the outcomes add up to the offsets",
    ),
    Mutant(
        "fence not locked",
        "fence",
        "the fences are read without a lock",
        NO_FENCE_LOCK,
        (NO_COMPARE, NO_COUNT_CHECK),
        "the comparison when the fence moves",
    ),
    Mutant(
        "fence behind the expected one",
        "fence",
        "a stored fence below the expected one is accepted",
        Patch(
            _BOOKS,
            "ModelTransaction.lock_fences",
            "or found.next_offset < known.next_offset",
            "",
        ),
    ),
    Mutant(
        "every event is new",
        "claims",
        "events that were applied before are applied again",
        NO_CLAIMS,
    ),
    Mutant(
        "no wait for another claim",
        "claims",
        "a claim does not wait for a transaction that claims the same id",
        Patch(
            _BOOKS,
            "ModelTransaction.claim",
            'await self.session.lock(("seen", event_id))',
            "pass",
        ),
    ),
    Mutant(
        "contradiction ignored",
        "claims",
        "an event that contradicts the first one with its id is passed as a repeat",
        Patch(_OFFSETS, "contradicting", "found[index] = original", "pass"),
    ),
    Mutant(
        "claims of skipped records",
        "claims",
        "ids of records that the brake cuts off stay claimed",
        Patch(_PROCESS, "Applier._plan", "await books.unclaim(decoded)", "pass"),
    ),
    Mutant(
        "hold not written",
        "holds",
        "a record that cannot be applied is passed without a row",
        Patch(_PROCESS, "Applier._handle_and_hold", "await books.hold(holds)", "[]"),
    ),
    Mutant(
        "no dead letter",
        "outbox",
        "a record dies without a dead letter",
        Patch(
            _PROCESS,
            "Applier._handle_and_hold",
            "await books.publish(dead_letters(self.service.name, written))",
            "pass",
        ),
    ),
    Mutant(
        "failure swallowed",
        "holds",
        "a handler that fails counts as one that found nothing to do",
        Patch(
            _PROCESS,
            "Applier.handle",
            "raise HandlerFailed from error",
            "return [Fate.STALE] * len(events)",
        ),
    ),
    Mutant(
        "no lane",
        "holds",
        "records behind a parked one are applied before it",
        Patch(_PLAN, "hold_without_claim", "if behind is not None:", "if False:"),
    ),
    Mutant(
        "no lane shared",
        "holds",
        "every record has its own lane",
        Patch(_HELD, "lane", "if record.key is None:", "if True:"),
    ),
)
