"""Bugs in corrections and cases, in the handler of the simulated consumer."""

from tests.simulation.mutants.patch import Mutant, Patch

_HANDLER = "tests.simulation.world.handler"

BOOKING = (
    Mutant(
        "late report lowers the total",
        "corrections",
        "a report that arrives late replaces a higher total",
        Patch(_HANDLER, "book", "paid=max(was.paid, each.paid)", "paid=each.paid"),
    ),
    Mutant(
        "total instead of the difference",
        "corrections",
        "a correction books the new total in addition to the old one",
        Patch(_HANDLER, "book", "(now.paid - was.paid)", "now.paid"),
    ),
    Mutant(
        "account not locked",
        "corrections",
        "two transactions read the same totals, and one overwrites the other",
        Patch(
            _HANDLER,
            "SimHandler.__call__",
            'await books.session.lock(("account", key))',
            "pass",
        ),
    ),
    Mutant(
        "case not closed",
        "cases",
        "a case stays open although later facts settle it",
        Patch(_HANDLER, "book", "case=case_of(now)", "case=was.case or case_of(now)"),
    ),
    Mutant(
        "case of one event",
        "cases",
        "a case is judged by the last report alone",
        Patch(
            _HANDLER,
            "book",
            "case=case_of(now)",
            "case=case_of(AccountEntry(each.paid, each.returned))",
        ),
    ),
    Mutant(
        "case without a cause",
        "cases",
        "a case opens if as much was returned as paid",
        Patch(
            _HANDLER,
            "case_of",
            "account.returned > account.paid",
            "account.returned >= account.paid",
        ),
    ),
)
