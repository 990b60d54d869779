"""Judges pages with axe-core, which is in the folder `axe` with its licence."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

_AXE: Final = Path(__file__).parent / "axe" / "axe.min.js"
GRAVE: Final = frozenset({"serious", "critical"})

_RUN: Final = """
async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
  found => [found.impact, found.id, found.help, found.nodes.map(node => node.html).slice(0, 3)])
"""


@cache
def _axe() -> str:
    return _AXE.read_text(encoding="utf-8")


def grave_findings(page: Page) -> Sequence[str]:
    """Return what is serious or critical on the page that is open, one line each."""
    # Evaluated by the browser's debugger, which the page's own policy does not concern.
    page.evaluate(_axe())
    found: list[Any] = page.evaluate(_RUN)
    return [
        f"{impact}: {rule}: {text}: {' '.join(nodes)[:400]}"
        for impact, rule, text, nodes in found
        if impact in GRAVE
    ]


def overflows(page: Page) -> bool:
    """Return whether the page is wider than its window, so that it scrolls sideways."""
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide
