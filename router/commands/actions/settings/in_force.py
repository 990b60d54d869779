"""Shows every setting in force, and where it comes from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from router.commands.actions.config import masked_values
from router.commands.actions.configured import load_settings, sources_of
from router.commands.actions.settings.by_table import show_by_table
from router.commands.actions.settings.reference import table_models
from router.commands.invocation import Invocation
from router.configuration.origins import DEFAULT, Origin, Origins
from router.configuration.reference.tables import NAME, SettingsTable, settings_tables
from router.configuration.sources import KeyPath
from router.terminal.output import show_json

_OF_FILES: Final = {"secrets": "secret_files"}
"""Keys with the content of files that another key names; most are KEY and KEY_file."""


@dataclass(frozen=True)
class _Row:
    path: KeyPath
    value: Any
    origin: Origin


def show_in_force(invocation: Invocation, *, whole: bool, origin: bool, as_json: bool) -> None:
    """Print the settings; `whole` those that are not set too, `origin` where each comes from."""
    settings = load_settings(invocation)
    values = masked_values(invocation, settings, whole=whole)
    if as_json and not origin:
        show_json(values, indent=2)
        return
    rows = list(_rows(values, Origins(sources_of(invocation))))
    if as_json:
        show_json([_as_json(row) for row in rows], indent=2)
        return
    words = _Words(settings_tables(table_models(invocation)), values["endpoints"])
    columns = ("key", "value", "origin") if origin else ("key", "value")
    show_by_table(columns, [_texts(row, words)[: len(columns) + 1] for row in rows])


def _rows(values: Mapping[str, Any], origins: Origins) -> Iterator[_Row]:
    for path, value in _leaves(values):
        origin = origins.of(path)
        if origin == DEFAULT and value is not None:
            origin = _from_file(path, origins)
        yield _Row(path, value, origin)


def _from_file(path: KeyPath, origins: Origins) -> Origin:
    """Return the key that names the file of a secret, DEFAULT if there is none."""
    *tables, key = path
    other = _OF_FILES.get(key, f"{key}_file")
    return DEFAULT if origins.of((*tables, other)) == DEFAULT else Origin("key", other)


def _leaves(values: Any, *under: str) -> Iterator[tuple[KeyPath, Any]]:  # noqa: ANN401 - nested JSON
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from _leaves(value, *under, key)
    else:
        yield under, values


def _as_json(row: _Row) -> dict[str, Any]:
    return {"key": ".".join(row.path), "value": row.value, "origin": asdict(row.origin)}


def _texts(row: _Row, words: "_Words") -> tuple[str, ...]:
    *tables, key = row.path
    unset = row.value is None
    value = words.of(row.path) if unset else json.dumps(row.value, ensure_ascii=False)
    return (".".join(tables), key, value, str(row.origin))


class _Words:
    """What applies while a key is not set, in plain English."""

    def __init__(self, tables: Sequence[SettingsTable], endpoints: Mapping[str, Any]) -> None:
        self._without = {
            (table.name, provider, setting.key): setting.without
            for table in tables
            for provider in table.providers or ("",)
            for setting in table.settings
        }
        self._endpoints = endpoints

    def of(self, path: KeyPath) -> str:
        """Return it for a key, `none` if nothing applies."""
        *tables, key = path
        named = tables[1] if len(tables) > 1 else ""
        provider = ""
        if tables[:1] == ["endpoints"]:
            provider = self._endpoints[named]["provider"]
        names = [".".join(tables)]
        names += [".".join((*tables[:at], NAME, *tables[at + 1 :])) for at in range(1, len(tables))]
        for name in names:
            for owner in ("", provider):
                found = self._without.get((name, owner, key))
                if found:
                    return found.replace("`", "").replace(NAME, named)
        return "none"
