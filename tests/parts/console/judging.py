"""Judges the page that is open: what is wrong with it, as lines; none if it is right."""

from collections.abc import Iterator
from typing import Final

from playwright.sync_api import Page

from tests.parts.console import live, shop, troubles
from tests.parts.console.accessibility import grave_findings, overflows

_SECRETS: Final = (
    *shop.SECRETS.values(),
    shop.TOKEN,
    live.SESSION_SECRET,
    *live.PASSWORDS.values(),
    "scrypt$",
)

_FOREIGN: Final = """
Array.from(document.querySelectorAll(
  'script:not([src]), img[src="x"], svg[onload], [onerror], [onload], [onclick], [style], iframe'
), element => element.outerHTML.slice(0, 200))
"""
"""Elements that only an attack, or our own inline code, could have put there."""


def wrong_with(page: Page) -> Iterator[str]:
    """Yield what is wrong with a page."""
    text = page.content()
    yield from (f"it shows the secret {each[:6]}..." for each in _SECRETS if each in text)
    yield from (f"foreign: {each}" for each in page.evaluate(_FOREIGN))
    if page.locator("h1").count() != 1:
        yield f"{page.locator('h1').count()} headings of the first level"
    if "{{" in text and troubles.TEMPLATE not in page.inner_text("body"):
        yield "a template that was not rendered"
    if "7777777" in text:
        yield "a template of a delivery was rendered"
    if overflows(page):
        yield "it is wider than the window"
    yield from grave_findings(page)
