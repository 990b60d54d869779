"""Bugs in retries, outbox and relay."""

from tests.simulation.mutants.patch import Mutant, Patch

_RETRY = "consumers.runtime.apply.retry"
_RELAY = "consumers.runtime.member.relay"
_BOOKS = "tests.simulation.store.books"
_HOLDING = "tests.simulation.store.holding"

NO_CLAIM = Patch(_RETRY, "_apply", "if not claims.new:", "if False:")

RETRYING = (
    Mutant(
        "retry without a claim",
        "retry",
        "a retry applies an event that was applied through another record",
        NO_CLAIM,
    ),
    Mutant(
        "retry of a contradiction",
        "retry",
        "a retry passes an event that contradicts the first as a repeat",
        Patch(_RETRY, "_apply", "if claims.conflicts:", "if False:"),
    ),
    Mutant(
        "no savepoint",
        "retry",
        "what a failed attempt has written is committed with its failure",
        Patch(_RETRY, "_try", "async with books.savepoint():", "if True:"),
    ),
    Mutant(
        "retry not ended",
        "retry",
        "a record that was retried with success stays parked",
        Patch(_RETRY, "_try", "await books.end_retry(number, fate)", "pass"),
    ),
    Mutant(
        "attempt not counted",
        "retry",
        "an attempt is not counted, so a record never dies",
        Patch(_RETRY, "_try", "due.attempts + 1", "due.attempts"),
    ),
    Mutant(
        "dead after one attempt",
        "retry",
        "a record dies at its first retry",
        Patch(_RETRY, "_death_reason", "attempts >= tuning.attempts", "attempts >= 1"),
    ),
    Mutant(
        "dead without a letter",
        "outbox",
        "a record that dies at a retry has no dead letter",
        Patch(
            _RETRY,
            "_count_failure",
            "await books.publish([dead_letter(applier.service.name, dead, due.first_failed_at)])",
            "pass",
        ),
    ),
    Mutant(
        "row not locked",
        "retry",
        "two processes retry the same record at once",
        Patch(_HOLDING, "lock_due", 'or not session.try_lock(("held", number))', ""),
        (NO_CLAIM,),
        "the claim of a retry",
    ),
    Mutant(
        "lane out of order",
        "retry",
        "a record is retried before an earlier one of its lane",
        Patch(
            _HOLDING,
            "is_due",
            "row == _first_of([each for each in parked if each.lane == row.lane])",
            "True",
        ),
    ),
    Mutant(
        "deleted unacknowledged",
        "relay",
        "records are deleted from the outbox although the broker did not acknowledge them",
        Patch(_RELAY, "Relay._sort_results", "if error is None:", "if True:"),
    ),
    Mutant(
        "sent behind a failure",
        "relay",
        "records behind one that failed are sent before it",
        Patch(
            _RELAY,
            "_send_line",
            "if last is not None and not _is_permanent(last):",
            "if False:",
        ),
    ),
    Mutant(
        "sent in another order",
        "outbox",
        "the newest record of the outbox is sent first",
        Patch(_BOOKS, "ModelTransaction.unsent", "return found[:limit]", "return found[::-1]"),
    ),
    Mutant(
        "set aside for good",
        "relay",
        "a record that the broker did not acknowledge is set aside as refused",
        Patch(
            _RELAY,
            "_is_permanent",
            "return about(error) is About.RECORD or isinstance(error, InvalidTopicError)",
            "return True",
        ),
    ),
    Mutant(
        "refused record deleted",
        "relay",
        "a record that the broker refuses is deleted instead of set aside",
        Patch(
            _RELAY,
            "Relay.send_waiting",
            "await books.set_aside(number, error)",
            "await books.delete_sent([number])",
        ),
    ),
)
