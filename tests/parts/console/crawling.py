"""Finds every kind of page by its links, as someone does who opens one after the other."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from playwright.sync_api import Page

_LINKS: Final = "Array.from(document.querySelectorAll('a[href]'), link => link.href)"
_FILES: Final = re.compile(r"\.(?:csv|json|rows|css|js|svg)$")
_VARYING: Final = re.compile(r"\d|%|[^/]{25}")
"""A part of a path that names one thing of many."""

_LEFT_OUT: Final = {"lang", "zone"}


def kind_of(url: str) -> str:
    """Return what is the same for all pages of one kind: `/cases/*?kind`."""
    parts = urlsplit(url)
    path = "/".join("*" if _VARYING.search(part) else part for part in parts.path.split("/"))
    names = sorted({name for name, _ in parse_qsl(parts.query)} - _LEFT_OUT)
    # An action asks the same of all that its query may choose.
    return path if "/do/" in path or not names else f"{path}?{'&'.join(names)}"


def crawl(page: Page, origin: str, most: int = 80) -> Iterator[str]:
    """Open one page of each kind, beginning with the first, and yield its URL while it is open."""
    waiting, seen = [f"{origin}/"], {kind_of(f"{origin}/")}
    while waiting and most:
        url = waiting.pop(0)
        most -= 1
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200, f"{url}: {answer.status}"
        yield url
        for link in page.evaluate(_LINKS):
            kind = kind_of(link)
            if _is_page(link, origin) and kind not in seen:
                seen.add(kind)
                waiting.append(link)


def files(page: Page) -> list[str]:
    """Return the links to downloads on the page that is open."""
    links: list[str] = page.evaluate(_LINKS)
    return [link for link in links if urlsplit(link).path.endswith((".csv", ".json"))]


def _is_page(link: str, origin: str) -> bool:
    parts = urlsplit(link)
    return link.startswith(f"{origin}/") and not _FILES.search(parts.path) and not parts.fragment
