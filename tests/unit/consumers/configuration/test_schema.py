"""Editors check payrouter.toml by the published schema: it accepts what payrouter accepts."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from router.configuration.reference.schema import FILE
from router.schemas import FOLDER
from tests.parts.settings_reference import schema, uncommented
from tests.parts.source import ROOT

_EXAMPLES = sorted((ROOT / "deploy").rglob("payrouter.toml"))

_MAPPED = {
    "provider": "generic_hmac",
    "mapping": {
        "gateway": "acme",
        "event": "type",
        "events": {
            "paid": "payment.confirmed",
            "seen": "ignore",
            "updated": [{"type": "payment.failed", "only_if": {"status": {"present": True}}}],
        },
    },
}


def _validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schema())


def _problems(values: Mapping[str, Any]) -> list[str]:
    return [error.json_path for error in _validator().iter_errors(values)]


def test_published_schema_is_up_to_date() -> None:
    published = (FOLDER / FILE).read_text(encoding="utf-8")

    assert json.loads(published) == schema(), (
        f"run: payrouter config schema > deploy/schemas/{FILE}"
    )


def test_schema_is_valid_and_all_its_references_are_defined() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    references = {each["$ref"] for each in _schemas(schema()) if "$ref" in each}

    assert references == {f"#/$defs/{name}" for name in schema()["$defs"]}


def _schemas(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for each in value.values():
            yield from _schemas(each)
    elif isinstance(value, list):
        for each in value:
            yield from _schemas(each)


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.parent.name)
def test_examples_of_the_deployment_are_valid(path: Path) -> None:
    assert _problems(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_there_are_examples_of_the_deployment() -> None:
    assert {path.parent.name for path in _EXAMPLES} == {"compose", "examples"}


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.parent.name)
def test_examples_of_the_deployment_name_the_schema(path: Path) -> None:
    directive, _, name = path.read_text(encoding="utf-8").splitlines()[0].partition(" ")

    assert directive == "#:schema"
    assert (path.parent / name).resolve() == FOLDER / FILE


def test_every_setting_of_the_example_is_valid() -> None:
    assert _problems(uncommented()) == []


def test_every_form_of_an_event_is_valid() -> None:
    assert _problems({"endpoints": {"shop": _MAPPED}}) == []


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"edeg": {}}, "$"),
        ({"edge": {"prot": 1}}, "$.edge"),
        ({"edge": {"port": 65536}}, "$.edge.port"),
        ({"kafka": {"sasl_mechanism": "SCRAM"}}, "$.kafka.sasl_mechanism"),
        ({"log": {"level": "warn"}}, "$.log.level"),
        ({"endpoints": {"shop": {}}}, "$.endpoints.shop"),
        ({"endpoints": {"shop": {"provider": "blockatn"}}}, "$.endpoints.shop"),
        ({"endpoints": {"shop": {"provider": "resmic", "mapping": {}}}}, "$.endpoints.shop"),
        ({"endpoints": {"shop": {"provider": "blockatm", "tokn": "x"}}}, "$.endpoints.shop"),
        ({"consumers": {"leger": {}}}, "$.consumers"),
        ({"consumers": {"ledger": {"batch_recrds": 1}}}, "$.consumers.ledger"),
        ({"consumers": {"ledger": {"database": {"urk": ""}}}}, "$.consumers.ledger.database"),
        ({"consumers": {"ledger": {"underpaid": "wait"}}}, "$.consumers.ledger"),
    ],
)
def test_misspelt_key_or_wrong_value_is_invalid(values: dict[str, Any], path: str) -> None:
    assert _problems(values) == [path]


def test_every_key_of_the_schema_has_a_description() -> None:
    properties = [
        (name, each)
        for schema_ in _schemas(schema())
        if isinstance(schema_.get("properties"), Mapping)
        for name, each in schema_["properties"].items()
    ]
    assert len(properties) > 250
    # The definition of a table has its description.
    assert [
        name
        for name, each in properties
        if "description" not in each and "$ref" not in each and name != "present"
    ] == []


def test_examples_and_defaults_of_the_schema_are_valid() -> None:
    for each in _schemas(schema()):
        if "description" not in each:
            continue
        whole = {**each, "$defs": schema()["$defs"]}
        values = [*each.get("examples", ()), *([each["default"]] if "default" in each else [])]
        for value in values:
            jsonschema.Draft7Validator(whole).validate(value)
