"""JSON Schema of `payrouter.toml`, for editors."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from router.configuration.endpoint_settings import EndpointSettings
from router.configuration.reference.models import (
    Definitions,
    JsonSchema,
    TableModels,
    definitions_of,
    referred,
)
from router.configuration.settings import Settings
from router.configuration.values import DatabaseSettings

VERSION: Final = "1"
FILE: Final = f"payrouter.toml.v{VERSION}.json"
"""Name of the schema's file; the version changes when a key is removed or renamed."""


def configuration_schema(models: TableModels) -> dict[str, Any]:
    """Return the JSON Schema of the whole configuration, in the draft that TOML editors read."""
    definitions = definitions_of(models)
    ours = {f"endpoint-{name}": _endpoint(definitions, models, name) for name in models.providers}
    ours |= {f"consumer-{name}": _consumer(definitions, models, name) for name in models.consumers}
    root = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"urn:payrouter:schema:configuration:{VERSION}",
        "title": "payrouter.toml",
        **_root(definitions, models),
    }
    return {**root, "$defs": _needed(root, {**definitions.by_name, **ours})}


def _root(definitions: Definitions, models: TableModels) -> dict[str, Any]:
    root = dict(definitions.of(Settings))
    own = root["properties"]
    endpoints = {key: value for key, value in own["endpoints"].items() if key != "examples"}
    endpoints["additionalProperties"] = {
        "oneOf": [_reference(f"endpoint-{name}") for name in models.providers]
    }
    consumers = {
        "description": own["consumers"]["description"],
        "type": "object",
        "properties": {name: _reference(f"consumer-{name}") for name in models.consumers},
        "additionalProperties": False,
    }
    root["properties"] = {**own, "endpoints": endpoints, "consumers": consumers}
    return {**root, "description": "Configuration of payrouter."}


def _endpoint(definitions: Definitions, models: TableModels, provider: str) -> JsonSchema:
    """Return the keys of an endpoint of one provider: those of every endpoint, and its own."""
    common = definitions.of(EndpointSettings)
    own = definitions.of(models.providers[provider])
    shared = {key: value for key, value in common["properties"].items() if key != "options"}
    named = {"description": shared["provider"]["description"], "const": provider}
    return {
        "description": own["description"],
        "type": "object",
        "properties": {**shared, "provider": named, **own["properties"]},
        "required": [*common["required"], *own["required"]],
        "additionalProperties": False,
    }


def _consumer(definitions: Definitions, models: TableModels, name: str) -> JsonSchema:
    own = definitions.of(models.consumers[name])
    shared = definitions.of(models.every_consumer)["properties"]
    database = _reference(definitions.names[DatabaseSettings])
    return {
        "description": own["description"],
        "type": "object",
        "properties": {**shared, "database": database, **own["properties"]},
        "required": own["required"],
        "additionalProperties": False,
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _needed(schema: JsonSchema, definitions: Mapping[str, JsonSchema]) -> dict[str, JsonSchema]:
    """Return the definitions that a schema refers to, directly or not, by name."""
    found: dict[str, JsonSchema] = {}
    waiting = [*_references(schema)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting += _references(definitions[name])
    return dict(sorted(found.items()))


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        name = referred(value)
        if name is not None:
            yield name
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
