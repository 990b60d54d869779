"""Values that stand in more than one table of the configuration, and how they are checked."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from router.caller import networks


def as_tuple(value: object) -> object:
    """Take one text for a list of one: a variable of the environment gives no other."""
    return (value,) if isinstance(value, str) else value


Several = Annotated[tuple[SecretStr, ...], BeforeValidator(as_tuple)]
Files = Annotated[tuple[Path, ...], BeforeValidator(as_tuple)]

PUBLISHED = "published"
"""The word under `allow_from` for the list that the provider knows."""

_PUBLIC_URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?(?:/[^?#\s]*)?")


def _checked_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        networks(text for text in texts if text != PUBLISHED)
    except ValueError:
        message = "expected addresses or networks, such as 203.0.113.0/24"
        raise ValueError(message) from None
    return texts


Networks = Annotated[tuple[str, ...], BeforeValidator(as_tuple), AfterValidator(_checked_networks)]


def checked_public_url(url: str) -> str:
    """Return a public URL without a slash at its end, or raise ValueError."""
    match = _PUBLIC_URL.fullmatch(url)
    if match is None or not is_port(match[1] and match[1][1:]):
        message = "expected https://host, with a port or path where the gateway sees one"
        raise ValueError(message)
    return url.rstrip("/")


PublicUrl = Annotated[str, AfterValidator(checked_public_url)]


def is_port(digits: str | None) -> bool:
    """Tell whether digits are a port; so is none given."""
    return digits is None or 0 < int(digits) <= 65535  # noqa: PLR2004 - what TCP has
