"""Sources of the configuration: a TOML file, overridden by PAYROUTER_ variables."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.errors import ConfigurationError
from router.secrets.secret_text import trimmed

PREFIX = "PAYROUTER_"

NOT_KEYS = frozenset({"PAYROUTER_CONFIG", "PAYROUTER_DATA_DIR"})
"""Variables that name files, not configuration keys."""


KeyPath = tuple[str, ...]
"""A key with the tables around it, the outermost first."""


@dataclass
class Sources:
    """The nested tables of all sources, and the problems of the sources, a line each.

    `variables` are the names of those that set a key, `of_dev` the keys that a running
    `payrouter dev` set; all others are in `file`, whose content is `text`.
    """

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    problems: list[str] = field(default_factory=list)
    file: Path | None = None
    text: str = field(default="", repr=False)
    variables: dict[KeyPath, str] = field(default_factory=dict)
    of_dev: set[KeyPath] = field(default_factory=set)


def read_sources(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the nested tables of the file, overridden by the environment.

    Raises ConfigurationError with a line for each variable that cannot override a key.
    """
    sources = gather_sources(path, environ)
    if sources.problems:
        raise ConfigurationError(*sources.problems)
    return sources.values


def gather_sources(path: Path | None, environ: Mapping[str, str]) -> Sources:
    """Return what `read_sources` returns, and the problems of variables.

    Raises ConfigurationError if the file cannot be read.
    """
    sources = Sources()
    if path is not None:
        sources.file = path
        sources.values, sources.text = _read_toml(path)
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in NOT_KEYS:
            try:
                sources.variables[_override(sources.values, name, text)] = name
            except ConfigurationError as error:
                sources.problems += error.problems
    return sources


def _read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Return the content of a file, parsed and as text."""
    try:
        # With or without a byte order mark, which TOML does not allow.
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text), text
    except OSError as error:
        message = f"cannot read the configuration {path}: {error.strerror}"
        raise ConfigurationError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not TOML: {_without_content(error)}"
        raise ConfigurationError(message) from None


def _without_content(error: ValueError) -> str:
    # The parser's message can contain part of the line, and so of a secret.
    text = str(error)
    place = text[text.rfind("(") :] if "(" in text else ""
    return f"syntax error {place}".strip()


def _override(values: dict[str, Any], name: str, text: str) -> KeyPath:
    """Set the key that a variable names, and return its path."""
    *tables, key = name.removeprefix(PREFIX).lower().split("__")
    table = values
    path = []
    for part in tables:
        path.append(_existing(table, part))
        table = table.setdefault(path[-1], {})
        if not isinstance(table, dict):
            message = f"{name}: {part} is not a table"
            raise ConfigurationError(message)
    path.append(_existing(table, key))
    table[path[-1]] = _value(name, text)
    return tuple(path)


def _existing(table: dict[str, Any], part: str) -> str:
    # A variable's name cannot contain the dash that an endpoint's may.
    for key in table:
        if key.lower().replace("-", "_") == part:
            return key
    return part


def _value(name: str, text: str) -> object:
    written = trimmed(text)
    if not (written.startswith('["') or written == "[]"):
        return text
    try:
        return json.loads(written)
    except json.JSONDecodeError:
        message = f"{name}: a list is written as JSON"
        raise ConfigurationError(message) from None
