"""Fetches small answers over HTTP, with a time-out and a limit."""

import asyncio
import http.client
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Final

ANSWER_SECONDS: Final = 3.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""Far more than an edge with a thousand endpoints answers."""

FetchText = Callable[[str], Awaitable[str]]
"""Returns the text of an http or https URL; raises OSError or ValueError."""


async def fetch_text(url: str) -> str:
    """Return the text of an answer; raises OSError, or ValueError for one that is too large."""
    return await asyncio.to_thread(_fetch, url)


def _fetch(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        message = "expected an http or https URL"
        raise ValueError(message)
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - checked above
            body: bytes = answer.read(MAX_ANSWER_BYTES + 1)
    except http.client.HTTPException as error:
        raise OSError(type(error).__name__) from error
    if len(body) > MAX_ANSWER_BYTES:
        message = f"the answer is larger than {MAX_ANSWER_BYTES} bytes"
        raise ValueError(message)
    return body.decode()
