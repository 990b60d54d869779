"""Fields of a query or a form: text by name, several of one name in their order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode

_MOST_FIELDS = 2000


@dataclass(frozen=True)
class FormFields:
    """Fields in their order; those without a text are left out."""

    pairs: Sequence[tuple[str, str]] = ()

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Parse a query or a form; raises ValueError if it has too many fields, or NUL in one."""
        pairs = parse_qsl(text, max_num_fields=_MOST_FIELDS)
        if any("\0" in value for _, value in pairs):
            # No column of a database can hold it.
            raise ValueError
        return cls(tuple((name, value) for name, value in pairs if value))

    def one(self, name: str, default: str = "") -> str:
        """Return the first text of a name, without white space around it."""
        return next((value.strip() for key, value in self.pairs if key == name), default)

    def every(self, name: str) -> Sequence[str]:
        """Return all texts of a name."""
        return [value for key, value in self.pairs if key == name]

    def only(self, names: Iterable[str]) -> Self:
        """Return the fields of these names."""
        wanted = set(names)
        return type(self)(tuple(pair for pair in self.pairs if pair[0] in wanted))

    def without(self, *names: str) -> Self:
        """Return the fields of all other names."""
        return type(self)(tuple(pair for pair in self.pairs if pair[0] not in names))

    def changed(self, changes: Mapping[str, str | None]) -> Self:
        """Return the fields with other texts; None or an empty text removes a field."""
        kept = tuple(pair for pair in self.pairs if pair[0] not in changes)
        new = tuple((k, v) for k, v in changes.items() if v is not None and v != "")
        return type(self)((*kept, *new))

    @property
    def as_query(self) -> str:
        """The fields as a query, with its question mark, empty without fields."""
        return f"?{urlencode(list(self.pairs))}" if self.pairs else ""
