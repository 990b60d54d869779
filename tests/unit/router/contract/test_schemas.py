"""The schemas in deploy/ match the code, and events match the schemas."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from router.contract.event import EventType
from router.contract.wire import encode_event
from router.schemas import FOLDER, drifted, main, schemas
from tests.parts.contract.events import event


def test_committed_schemas_match_the_code() -> None:
    assert drifted(FOLDER) == []


def test_a_changed_schema_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in schemas().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    changed = tmp_path / "event.v1.json"
    changed.write_text(changed.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert drifted(tmp_path) == ["event.v1.json"]
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_an_event_on_the_wire_fits_the_published_schema() -> None:
    record = encode_event(event(amount="2000.00", currency="USDT"), "payment", "00-a-b-01")
    jsonschema.validate(json.loads(record.value), json.loads(schemas()["event.v1.json"]))


@pytest.mark.parametrize("amount", [2000.0, "1e3", "-1", "NaN", "1.0000000000000000001"])
def test_an_amount_that_is_not_exact_text_does_not_fit(amount: object) -> None:
    record = encode_event(event(amount="2000.00", currency="USDT"), "payment", "00-a-b-01")
    value = json.loads(record.value) | {"amount": amount}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, json.loads(schemas()["event.v1.json"]))


def test_the_asyncapi_document_names_every_topic_of_the_edge() -> None:
    document = json.loads(schemas()["asyncapi.json"])
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"payment", "payout", "subscription", "quarantine", "refused"}


Field = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def _fields(name: str) -> Iterator[Field]:
    """Yield the path, the definition and the definitions of its file of every field."""
    document = json.loads(schemas()[name])
    shared = document.get("$defs") or document.get("components", {}).get("schemas", {})
    for model, definition in {**shared, "": document}.items():
        for field, schema in definition.get("properties", {}).items():
            yield f"{model}.{field}".lstrip("."), schema, document


def _definitions(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: document[key] for key in ("$defs", "components") if key in document}


@pytest.mark.parametrize("name", schemas())
def test_every_field_has_a_description_and_a_valid_example(name: str) -> None:
    fields = list(_fields(name))
    assert fields

    for path, schema, document in fields:
        assert schema.get("description"), f"{path}: no description"
        assert schema.get("examples"), f"{path}: no example"
        for example in schema["examples"]:
            jsonschema.validate(example, {**schema, **_definitions(document)})


def test_every_event_type_is_in_the_published_schema() -> None:
    document = json.loads(schemas()["event.v1.json"])
    assert document["$defs"]["EventType"]["enum"] == [word.value for word in EventType]
