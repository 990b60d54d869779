"""The published schemas, generated from the contract.

`python -m router.schemas [--check]`: they are in deploy/schemas, so that a reader in
another repository or language needs no Python; CI fails if they differ from the code.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from pydantic import BaseModel

from router.configuration.settings import Settings
from router.contract.event import Event
from router.contract.order import Order
from router.contract.outcome import OutcomeEvent
from router.contract.quarantine import Quarantined, Replayed
from router.contract.refused import Refused
from router.contract.wire import SCHEMA_VERSION
from router.edge.app import declared_broker

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "schemas"


def schemas() -> Mapping[str, str]:
    """Return every schema file's name and text."""
    major = SCHEMA_VERSION.partition(".")[0]
    return {
        f"event.v{major}.json": _text(_json_schema(Event, "event")),
        f"order.v{major}.json": _text(_json_schema(Order, "order")),
        f"outcome.v{major}.json": _text(_json_schema(OutcomeEvent, "outcome")),
        f"quarantined.v{major}.json": _text(_json_schema(Quarantined, "quarantined")),
        f"refused.v{major}.json": _text(_json_schema(Refused, "refused")),
        f"replayed.v{major}.json": _text(_json_schema(Replayed, "replayed")),
        "asyncapi.json": _text(_asyncapi(declared_broker(Settings()))),
    }


def drifted(folder: Path) -> list[str]:
    """Return the files of a folder that differ from the code."""
    return [
        name
        for name, text in schemas().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the schemas, or with `--check` print those that differ."""
    if arguments == ["--check"]:
        wrong = drifted(FOLDER)
        for name in wrong:
            print(f"deploy/schemas/{name} differs from the code", file=sys.stderr)  # noqa: T201
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def _json_schema(model: type[BaseModel], name: str) -> dict[str, object]:
    schema = model.model_json_schema(mode="serialization")
    identity = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:payrouter:schema:{name}:{SCHEMA_VERSION}",
    }
    return {**identity, **schema}


def _asyncapi(broker: KafkaBroker) -> dict[str, object]:
    specification = AsyncAPI(
        broker,
        title="payrouter edge",
        version=SCHEMA_VERSION,
        description="What the edge publishes: CloudEvents 1.0, Kafka binding, binary mode.",
        schema_version="3.0.0",
    )
    return dict(specification.to_specification().to_jsonable())


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
