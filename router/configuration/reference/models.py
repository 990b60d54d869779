"""The models of all tables as JSON Schema definitions, which the descriptions are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from router.configuration.endpoint_settings import EndpointSettings
from router.configuration.settings import Settings
from router.configuration.values import DatabaseSettings

JsonSchema = Mapping[str, Any]

WITHOUT: Final = " Default: "
"""Begins the last sentence of a description: what applies while the key is not set."""

_BY_NAME: Final = {"properties", "patternProperties", "$defs"}
_VALUES: Final = {"default", "examples", "enum", "const", "required"}


@dataclass(frozen=True)
class TableModels:
    """Models of the tables that depend on what is installed.

    `every_consumer` has the settings that all consumers have, `consumers` those of each.
    """

    providers: Mapping[str, type[BaseModel]]
    every_consumer: type[BaseModel]
    consumers: Mapping[str, type[BaseModel]]


@dataclass(frozen=True)
class Definitions:
    """Definitions of all models by name, without what TOML cannot express."""

    by_name: Mapping[str, JsonSchema]
    names: Mapping[type[BaseModel], str]

    def of(self, model: type[BaseModel]) -> JsonSchema:
        """Return the definition of a model."""
        return self.by_name[self.names[model]]

    def resolved(self, schema: JsonSchema) -> JsonSchema:
        """Return the definition that a schema refers to, or the schema itself."""
        return self.by_name[name] if (name := referred(schema)) else schema


def referred(schema: JsonSchema) -> str | None:
    """Return the name of the definition that a schema refers to, if it does."""
    reference = schema.get("$ref")
    return None if reference is None else str(reference).rpartition("/")[2]


def definitions_of(models: TableModels) -> Definitions:
    """Return the definitions of all models of the configuration."""
    wanted: list[type[BaseModel]] = [
        *(Settings, EndpointSettings, DatabaseSettings, models.every_consumer),
        *models.providers.values(),
        *models.consumers.values(),
    ]
    references, document = models_json_schema([(model, "validation") for model in wanted])
    names = {model: referred(references[model, "validation"]) or "" for model in wanted}
    plain = {name: _plain(schema) for name, schema in document["$defs"].items()}
    return Definitions(plain, names)


def _plain(schema: JsonSchema) -> dict[str, Any]:
    """Return a schema without titles, null and the default of a table."""
    plain = {key: _part(key, value) for key, value in schema.items() if key != "title"}
    if "description" in plain:
        plain["description"] = " ".join(str(plain["description"]).split())
    if "properties" in plain:
        plain["required"] = _required(plain)
    if "$ref" in plain or plain.get("default", "") is None:
        plain.pop("default", None)
    if isinstance(plain.get("default"), Mapping):
        plain["default"] = _given(plain["default"])
    return _without_null(plain)


def _given(value: object) -> object:
    """Return a default without keys that are not set."""
    if not isinstance(value, Mapping):
        return value
    return {key: _given(each) for key, each in value.items() if each is not None}


def _part(key: str, value: object) -> object:
    if key in _VALUES:
        return value
    if key in _BY_NAME and isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list):
        return [_plain(each) if isinstance(each, Mapping) else each for each in value]
    return value


def _required(schema: JsonSchema) -> list[str]:
    """Return the keys that must be given: a description may name what applies otherwise."""
    properties = schema["properties"]
    return [
        key
        for key in schema.get("required", ())
        if WITHOUT not in properties[key].get("description", "")
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(choices) > 1:
        return {**schema, "anyOf": choices}
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**(choices[0] if choices else {}), **rest}
