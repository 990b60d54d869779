"""Kinds of cases, as a consumer declares them."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How soon an operator has to look: at once, or in working hours."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True)
class CaseKind:
    """One way in which a fact does not fit; `docs/cases/<name>.md` explains what to do.

    `name` is unique among all consumers and in kebab case; `meaning` is one sentence for listings.
    `commands` are the first things to type. Words in braces are filled in: the fields of an open
    case (`{consumer}`, `{account}`, `{reference}`, `{provider}`, `{provider_reference}`) or one of
    its facts.
    """

    name: str
    severity: Severity
    meaning: str
    commands: tuple[str, ...] = ()
