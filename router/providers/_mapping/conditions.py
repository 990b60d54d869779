"""Conditions on the fields of a body: which words of the configuration apply to a delivery."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from router.providers._reading import Fields, Path

JsonWord = str | bool | int


def _word(value: object) -> str | None:
    """Write a value as JSON does, so that `false` and `"false"` are the same word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | Decimal) else None


@dataclass(frozen=True)
class Condition:
    """The words that a field may have, or whether it is present at all."""

    words: tuple[JsonWord, ...] = ()
    present: bool | None = None

    def holds(self, value: object) -> bool:
        """Return whether a field with this value, None if it is absent, fulfils the condition."""
        if self.present is not None:
            return (value is not None) is self.present
        return _word(value) in self.spellings

    @property
    def spellings(self) -> frozenset[str]:
        """The words as JSON writes them."""
        return frozenset(filter(None, map(_word, self.words)))

    def excludes(self, other: "Condition") -> bool:
        """Return whether no value fulfils both conditions."""
        if self.present is False or other.present is False:
            return self.present is not other.present
        return bool(self.words and other.words) and not self.spellings & other.spellings


def _condition(value: object) -> object:
    if isinstance(value, Mapping):
        return Condition(present=_presence(value))
    words: tuple[Any, ...] = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not words or not all(isinstance(word, JsonWord) and word != "" for word in words):
        message = "expected a word, a list of words, or { present = true }"
        raise ValueError(message)
    return Condition(words)


def _presence(table: Mapping[object, object]) -> bool:
    present = table.get("present")
    if len(table) != 1 or not isinstance(present, bool):
        message = "expected { present = true } or { present = false }"
        raise ValueError(message)
    return present


_WORDS = WithJsonSchema(
    {
        "anyOf": [
            {"type": ["string", "boolean", "integer"]},
            {"type": "array", "items": {"type": ["string", "boolean", "integer"]}, "minItems": 1},
            {
                "type": "object",
                "properties": {"present": {"type": "boolean"}},
                "required": ["present"],
                "additionalProperties": False,
            },
        ]
    }
)

Conditions = Annotated[
    dict[Path, Annotated[Condition, BeforeValidator(_condition), _WORDS]], Field(min_length=1)
]
"""Conditions by the path of their field; all must hold."""


def hold(conditions: Mapping[str, Condition], fields: Fields) -> bool:
    """Return whether all conditions hold. Raises NotUnderstood if a path cannot be followed."""
    return all(condition.holds(fields.value(path)) for path, condition in conditions.items())


def exclude_each_other(one: Mapping[str, Condition], other: Mapping[str, Condition]) -> bool:
    """Return whether no body fulfils both."""
    return any(one[path].excludes(other[path]) for path in one.keys() & other.keys())
