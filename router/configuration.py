"""Where configuration comes from: a TOML file, with PAYROUTER_ variables laid over it."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router.errors import ConfigurationError

PREFIX = "PAYROUTER_"

NOT_KEYS = frozenset({"PAYROUTER_CONFIG", "PAYROUTER_DATA_DIR"})
"""Variables that say where to look, not what is configured."""


def read_sources(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the nested tables of the file, overridden by the environment."""
    values = _read_toml(path) if path is not None else {}
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in NOT_KEYS:
            _override(values, name, text)
    return values


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read the configuration {path}: {error.strerror}"
        raise ConfigurationError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not TOML: {_without_content(error)}"
        raise ConfigurationError(message) from None


def _without_content(error: ValueError) -> str:
    # The parser's message can hold a piece of the line, and so of a secret.
    text = str(error)
    place = text[text.rfind("(") :] if "(" in text else ""
    return f"syntax error {place}".strip()


def _override(values: dict[str, Any], name: str, text: str) -> None:
    *tables, key = name.removeprefix(PREFIX).lower().split("__")
    table = values
    for part in tables:
        table = table.setdefault(_existing(table, part), {})
        if not isinstance(table, dict):
            message = f"{name}: {part} is no table"
            raise ConfigurationError(message)
    table[_existing(table, key)] = _value(name, text)


def _existing(table: dict[str, Any], part: str) -> str:
    # A variable's name cannot hold the dash that an endpoint's may.
    for key in table:
        if key.lower().replace("-", "_") == part:
            return key
    return part


def _value(name: str, text: str) -> object:
    if not (text.startswith('["') or text == "[]"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        message = f"{name}: a list is written as JSON"
        raise ConfigurationError(message) from None
