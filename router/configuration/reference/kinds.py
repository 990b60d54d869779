"""Names the type of a setting in plain English."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from router.configuration.reference.models import Definitions, JsonSchema
from router.configuration.reference.toml_text import toml_value

_SIMPLE: Final = {"string": "text", "boolean": "true or false"}
_FORMATS: Final = {"path": "path", "password": "secret text"}
_FIRST_NOUN: Final = re.compile(r"^(list|table|(?:[a-z]+ )*[a-z]+)(?= of | \(|$)")
_MOST_WORDS: Final = 8
"""A table whose values are one of more words than this is described as a table of texts."""
_NUMBERS: Final = {"integer": "whole number", "number": "number"}


def kind_of(schema: JsonSchema, definitions: Definitions) -> str:
    """Return the type, such as `whole number, 0 to 65535`."""
    resolved = definitions.resolved(schema)
    choices = [definitions.resolved(each) for each in resolved.get("anyOf", (resolved,))]
    words = [_words(each) for each in choices]
    if all(words):
        return _choice([word for each in words for word in each])
    if len(choices) > 1:
        return " or ".join(dict.fromkeys(kind_of(each, definitions) for each in choices))
    return _named(resolved, definitions)


def _words(schema: JsonSchema) -> Sequence[object]:
    """Return the values that a schema lists, if it lists any."""
    if "const" in schema:
        return [schema["const"]]
    return list(schema.get("enum", ()))


def _choice(words: Sequence[object]) -> str:
    *others, last = [f"`{toml_value(word)}`" for word in words]
    return f"{', '.join(others)} or {last}" if others else last


def _named(schema: JsonSchema, definitions: Definitions) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_named({"type": each}, definitions) for each in kind)
    if kind in _NUMBERS:
        bounds = ", ".join(_bounds(schema))
        return f"{_NUMBERS[kind]} ({bounds})" if bounds else _NUMBERS[kind]
    if kind == "array":
        return f"list of {_plural(kind_of(schema['items'], definitions))}"
    if kind == "object":
        within = schema.get("additionalProperties")
        if not isinstance(within, Mapping) or "properties" in schema:
            return "table"
        many = len(definitions.resolved(within).get("enum", ())) > _MOST_WORDS
        return f"table of {'texts' if many else _plural(kind_of(within, definitions))}"
    return _FORMATS.get(schema.get("format", ""), _SIMPLE.get(str(kind), "value"))


def _bounds(schema: JsonSchema) -> Iterator[str]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        yield f"above {schema['exclusiveMinimum']}"
    if least is not None and most is not None:
        yield f"{least} to {most}"
    elif least is not None:
        yield f"at least {least}"
    elif most is not None:
        yield f"at most {most}"


def _plural(kind: str) -> str:
    """Return several of a kind: `lists of texts`, `whole numbers (0 to 18) or tables`."""
    return " or ".join(
        word if word.startswith("`") else _FIRST_NOUN.sub(r"\1s", word, count=1)
        for word in kind.split(" or ")
    )
