"""Where each value of the configuration comes from."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from router.configuration.sources import KeyPath, Sources


@dataclass(frozen=True)
class Origin:
    """Origin of a value: `name` is that of the file, the variable, or another key."""

    kind: Literal["default", "file", "variable", "key", "dev"]
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return it for people: `payrouter.toml:12`."""
        if self.line is not None:
            return f"{self.name}:{self.line}"
        return self.name or self.kind


DEFAULT = Origin("default")


class Origins:
    """Origins of the values of some sources, by the path of their keys."""

    def __init__(self, sources: Sources) -> None:
        """Find the lines of the keys in the file."""
        file = str(sources.file)
        self._found = {
            path: Origin("file", file, line) for path, line in key_lines(sources.text).items()
        }
        for path, name in sources.variables.items():
            self._found[path] = Origin("variable", name)
        for path in sources.of_dev:
            self._found[path] = Origin("dev", "payrouter dev")

    def of(self, path: KeyPath) -> Origin:
        """Return the origin of a key."""
        return self._found.get(path, DEFAULT)

    def near(self, path: KeyPath) -> Origin | None:
        """Return the origin of a key, or of the innermost table around it that has one."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._found:
                return self._found[path[:length]]
        return None

    def located(self, problem: str) -> str:
        """Return a problem of the configuration with its place, if it begins with a key."""
        # A check of a whole table names the key within it after the table.
        key, _, rest = problem.partition(": ")
        within = rest.partition(": ")[0]
        origin = self.near((*key.split("."), *within.split(".")))
        return problem if origin is None else f"{problem} ({origin})"


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the first line of each key and table of a TOML document, by its path."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, statement in _statements(text):
        values = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = max(_paths(values), key=len)
            paths = [table[:length] for length in range(1, len(table) + 1)]
        else:
            paths = [(*table, *path) for path in _paths(values)]
        for path in paths:
            lines.setdefault(path, number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each heading and each key with its value, with the number of its first line.

    Every statement is a TOML document by itself, so it ends where such a document does.
    """
    gathered, first = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        first = first if gathered else number
        gathered += line
        try:
            values = tomllib.loads(gathered)
        except tomllib.TOMLDecodeError:
            continue
        if values:
            yield first, gathered
        gathered = ""


def _paths(values: Mapping[str, Any], *under: str) -> Iterator[KeyPath]:
    for key, value in values.items():
        yield (*under, key)
        inner = value[0] if isinstance(value, list) and value == [{}] else value
        if isinstance(inner, Mapping):
            yield from _paths(inner, *under, key)
