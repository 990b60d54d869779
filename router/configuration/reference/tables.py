"""The tables of the configuration with all their settings, described by the models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from router.configuration.endpoint_settings import EndpointSettings
from router.configuration.reference.models import (
    Definitions,
    JsonSchema,
    TableModels,
    definitions_of,
    referred,
)
from router.configuration.reference.setting import Setting, example_of, setting_of, table_setting
from router.configuration.settings import Settings
from router.configuration.values import DatabaseSettings

NAME: Final = "NAME"
"""Placeholder for a name that the operator chooses."""

_OWN_DATABASE: Final = (
    "The consumer's own database, instead of `[database]`. Consumers can also share a database,"
    " since each has a separate schema."
)

TablePath = tuple[str, ...]


@dataclass(frozen=True)
class SettingsTable:
    """One table: `name` has placeholders, `example` the names of an example.

    `repeated` for one of several in a list; `chosen` if it is there only if the operator names it.
    `providers` are those whose endpoints have it; empty if it does not depend on the provider.
    """

    name: str
    example: TablePath
    introduction: str
    settings: Sequence[Setting]
    repeated: bool = False
    chosen: bool = False
    providers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The table's heading in TOML."""
        return f"[[{self.name}]]" if self.repeated else f"[{self.name}]"


@dataclass(frozen=True)
class _Below:
    """The table that a key names: its definition, and the way to it from the key."""

    definition: str
    kind: str
    name: TablePath = ()
    example: TablePath = ()

    @property
    def repeated(self) -> bool:
        return self.kind == "list of tables"


@dataclass(frozen=True)
class _Walk:
    """Describes a table and those below it; a definition that occurs again only once."""

    definitions: Definitions
    described: dict[str, str] = field(default_factory=dict)

    def tables(
        self,
        name: TablePath,
        example: TablePath,
        schema: JsonSchema,
        *,
        repeated: bool = False,
        chosen: bool = False,
    ) -> Iterator[SettingsTable]:
        """Yield the table of a definition, then the tables below it."""
        found = {key: _below(each, self.definitions) for key, each in schema["properties"].items()}
        below = {key: each for key, each in found.items() if each is not None}
        new = {key: each for key, each in below.items() if each.definition not in self.described}
        for key, each in new.items():
            self.described[each.definition] = ".".join((*name, key, *each.name))
        yield SettingsTable(
            ".".join(name),
            example,
            _introduction(schema),
            self._settings(name, schema, below, settable=not repeated),
            repeated,
            chosen,
        )
        for key, each in new.items():
            inner = self.definitions.by_name[each.definition]
            # A table that may be missing although one of its settings may not.
            optional = key not in schema["required"] and bool(inner["required"])
            yield from self.tables(
                (*name, key, *each.name),
                (*example, key, *each.example),
                inner,
                repeated=each.repeated,
                chosen=chosen or bool(each.name) or optional,
            )

    def _settings(
        self, name: TablePath, schema: JsonSchema, below: Mapping[str, _Below], *, settable: bool
    ) -> Sequence[Setting]:
        settings = []
        for key, each in schema["properties"].items():
            required = key in schema["required"]
            if key in below:
                inner = below[key]
                within = self.described[inner.definition]
                settings.append(table_setting(key, each, inner.kind, within, required=required))
            else:
                path = (*name, key)
                settings.append(
                    setting_of(path, each, self.definitions, required=required, settable=settable)
                )
        return settings


def settings_tables(models: TableModels) -> Sequence[SettingsTable]:
    """Return every table of the configuration; those of endpoints and consumers come last."""
    definitions = definitions_of(models)
    walk = _Walk(definitions)
    plain = [
        table
        for key, each in definitions.of(Settings)["properties"].items()
        if (name := referred(each)) is not None
        for table in walk.tables((key,), (key,), definitions.by_name[name])
    ]
    every = (*plain, *_endpoints(definitions, models), *_consumers(definitions, models))
    return [table for table in every if table.settings]


def _endpoints(definitions: Definitions, models: TableModels) -> Iterator[SettingsTable]:
    """Yield the tables of every endpoint, then those of each provider, equal ones once."""
    common = definitions.of(EndpointSettings)
    shared = {key: each for key, each in common["properties"].items() if key != "options"}
    name = ("endpoints", NAME)
    yield from _Walk(definitions).tables(
        name, ("endpoints", "shop"), {**common, "properties": shared}, chosen=True
    )
    found: dict[tuple[str, str], SettingsTable] = {}
    for provider, model in models.providers.items():
        example = ("endpoints", f"{provider.replace('_', '-')}-shop")
        for table in _Walk(definitions).tables(name, example, definitions.of(model), chosen=True):
            known = found.setdefault((table.name, table.introduction), table)
            both = (*known.providers, provider)
            found[table.name, table.introduction] = replace(known, providers=both)
    yield from found.values()


def _consumers(definitions: Definitions, models: TableModels) -> Iterator[SettingsTable]:
    """Yield the tables that every consumer has, then those of each."""
    walk = _Walk(definitions)
    example = ("consumers", next(iter(models.consumers), NAME.lower()))
    database = {**definitions.of(DatabaseSettings), "description": _OWN_DATABASE}
    every = definitions.of(models.every_consumer)
    yield from walk.tables(("consumers", NAME), example, every)
    yield from walk.tables(("consumers", NAME, "database"), (*example, "database"), database)
    for name, model in models.consumers.items():
        yield from walk.tables(("consumers", name), ("consumers", name), definitions.of(model))


def _below(schema: JsonSchema, definitions: Definitions) -> _Below | None:
    """Return the table that a key names, None if it is a value."""
    if (name := _table_in(schema, definitions)) is not None:
        return _Below(name, "table")
    if (name := _table_in(schema.get("additionalProperties"), definitions)) is not None:
        example = example_of(schema)
        chosen = str(next(iter(example))) if isinstance(example, Mapping) else NAME.lower()
        return _Below(name, "tables by name", (NAME,), (chosen,))
    name = _table_in(schema.get("items"), definitions)
    return None if name is None else _Below(name, "list of tables")


def _table_in(schema: object, definitions: Definitions) -> str | None:
    """Return the definition of a table among the choices of a schema."""
    if not isinstance(schema, Mapping):
        return None
    for each in (schema, *schema.get("anyOf", ())):
        name = referred(each)
        if name is not None and "properties" in definitions.by_name[name]:
            return name
    return None


def _introduction(schema: JsonSchema) -> str:
    """Return what a model's docstring contains after the name of its table."""
    text = str(schema.get("description", ""))
    head, separator, rest = text.partition("`: ")
    text = rest if separator and head.startswith("`[") else text
    return text[:1].upper() + text[1:]
