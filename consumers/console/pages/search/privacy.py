"""Masks data about customers in a trace, for people who may not see it."""

import re
from collections.abc import Mapping

from consumers.console.access.masking import MASK, masked
from consumers.console.web.visit import ConsoleVisit

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_PERSONAL = frozenset({"address", "customer", "email", "from", "name", "phone"})
"""Facts that are masked as a whole."""


def shown_text(visit: ConsoleVisit, text: str) -> str:
    """Return a text in which e-mail addresses are masked unless the person may see them."""
    if visit.viewer.personal:
        return text
    return _EMAIL.sub(lambda found: masked(found[0]), text)


def shown_facts(visit: ConsoleVisit, facts: Mapping[str, str]) -> Mapping[str, str]:
    """Return facts, those about customers masked unless the person may see them."""
    if visit.viewer.personal:
        return facts
    return {
        name: MASK if name in _PERSONAL else shown_text(visit, fact) for name, fact in facts.items()
    }
