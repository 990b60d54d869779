"""One setting, described by its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.configuration.reference.kinds import kind_of
from router.configuration.reference.models import WITHOUT, Definitions, JsonSchema
from router.configuration.reference.toml_text import toml_value
from router.configuration.sources import PREFIX


@dataclass(frozen=True)
class Setting:
    """One key of a table.

    `without` describes what applies while the key is not set; `example` a value in JSON;
    `variable` is None if no variable can set the key. `within` is the table that the key names,
    if it is not a value.
    """

    key: str
    kind: str
    meaning: str
    required: bool
    has_default: bool
    default: Any
    without: str | None
    example: Any
    variable: str | None
    within: str | None = None

    @property
    def default_text(self) -> str:
        """What applies while the key is not set, as Markdown."""
        if self.without is not None:
            return self.without
        if self.has_default:
            return f"`{toml_value(self.default)}`"
        return "required" if self.required else "none"


def setting_of(
    path: tuple[str, ...],
    schema: JsonSchema,
    definitions: Definitions,
    *,
    required: bool,
    settable: bool,
) -> Setting:
    """Describe a key with a value; `settable` if variables can set keys of its table."""
    meaning, without = _described(schema)
    example = example_of(schema)
    return Setting(
        key=path[-1],
        kind=kind_of(schema, definitions),
        meaning=meaning,
        required=required,
        has_default="default" in schema,
        default=schema.get("default"),
        without=without,
        example=example,
        variable=_variable(path, schema, example, definitions) if settable else None,
    )


def table_setting(
    key: str, schema: JsonSchema, kind: str, within: str, *, required: bool
) -> Setting:
    """Describe a key that names the table `within`, or several."""
    meaning, without = _described(schema)
    return Setting(
        key=key,
        kind=kind,
        meaning=meaning,
        required=required,
        has_default="default" in schema,
        default=schema.get("default"),
        without=without,
        example=None,
        variable=None,
        within=within,
    )


def _described(schema: JsonSchema) -> tuple[str, str | None]:
    """Return the meaning, and what applies without the key."""
    meaning, _, without = str(schema.get("description", "")).partition(WITHOUT)
    return meaning, without.rstrip(".") or None


def example_of(schema: JsonSchema) -> object:
    """Return the first example, or another choice than the default."""
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("type") == "boolean":
        return not schema.get("default", False)
    others = [word for word in schema.get("enum", ()) if word != schema.get("default")]
    return next(iter(others), None)


def _variable(
    path: tuple[str, ...], schema: JsonSchema, example: object, definitions: Definitions
) -> str | None:
    """Return the variable that sets a key, or one entry of a key that is a table of texts."""
    choices = [definitions.resolved(each) for each in schema.get("anyOf", (schema,))]
    if any(_fits_a_variable(each) for each in choices):
        return PREFIX + "__".join(path).upper()
    if isinstance(example, Mapping) and all(isinstance(each, str) for each in example.values()):
        entry = str(next(iter(example)))
        if entry.isidentifier() and entry.islower():
            return PREFIX + "__".join((*path, entry)).upper()
    return None


def _fits_a_variable(schema: JsonSchema) -> bool:
    if schema.get("type") == "array":
        return bool(schema["items"].get("type") == "string")
    return schema.get("type") not in {None, "object"}
