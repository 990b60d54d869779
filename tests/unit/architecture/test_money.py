"""No sum of money depends on the decimal context of the process, which keeps only 28 digits."""

from tests.parts.source import Module, modules

SOURCE = modules("router", "consumers")

AMBIENT = frozenset(
    f"decimal.{name}"
    for name in (
        *("getcontext", "setcontext", "localcontext"),
        *("DefaultContext", "BasicContext", "ExtendedContext"),
    )
)

HELPERS = {"consumers.ledger.facts.exact"}
"""Modules that enter their own context; all others use one for each operation."""


def _reaches(module: Module) -> bool:
    # Through the module itself, any of them could be reached.
    return not module.imports().isdisjoint({*AMBIENT, "decimal"})


def test_only_the_helpers_enter_a_decimal_context() -> None:
    assert {module.name for module in SOURCE if _reaches(module)} == HELPERS
