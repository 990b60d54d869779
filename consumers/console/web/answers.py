"""What handlers return."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Html:
    """A page, or a part of one, from a template and its values.

    `command` is the shell command that shows the same; the layout prints it.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    """Another path of the console; `done` is shown there once."""

    path: str
    done: str = ""


@dataclass(frozen=True)
class Download:
    """A file that is sent while it is made, in chunks."""

    name: str
    media_type: str
    chunks: AsyncIterator[str]


PageAnswer = Html | Redirect | Download
