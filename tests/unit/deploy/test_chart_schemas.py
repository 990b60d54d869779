"""The chart's objects are valid by the schemas that an API server of Kubernetes publishes.

Strimzi's and the Prometheus Operator's kinds are compared with the code in other tests, and with
their definitions by `make chart-cluster`.
"""

import copy
import json
from functools import cache
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from tests.parts.chart.cluster.schemas import SCHEMAS, schema_of
from tests.parts.chart.rendered import CASES, Rendered, objects, the

KUBERNETES: Final[dict[str, Any]] = json.loads(SCHEMAS.read_text())
OTHERS: Final = {"KafkaTopic", "KafkaUser", "PrometheusRule", "ServiceMonitor"}


@cache
def _validator(version: str, kind: str) -> Draft202012Validator | None:
    schema = schema_of({"apiVersion": version, "kind": kind}, KUBERNETES)
    return None if schema is None else Draft202012Validator(schema)


def _problems(found: Rendered) -> list[str]:
    validator = _validator(found["apiVersion"], found["kind"])
    assert validator is not None
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(found)]


@pytest.mark.parametrize("case", CASES)
def test_objects_are_valid(case: str) -> None:
    known = [each for each in objects(case) if each["kind"] not in OTHERS]

    assert {each["metadata"]["name"]: found for each in known if (found := _problems(each))} == {}


def test_schemas_are_those_of_the_kinds_in_use() -> None:
    used = {(o["apiVersion"], o["kind"]) for case in CASES for o in objects(case)}

    assert {f"{version} {kind}" for version, kind in used if kind not in OTHERS} == set(
        KUBERNETES["kinds"]
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "template", "spec", "containers", 0, "readynessProbe"), {}),
        (("spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"), "http"),
        (("spec", "strategy", "rollingUpdate", "maxSurge"), []),
        (("spec", "selector"), None),
    ],
)
def test_a_field_that_is_misspelt_or_has_another_type_is_found(
    path: tuple[str | int, ...], value: object
) -> None:
    edge = copy.deepcopy(the("small", "Deployment", "edge"))
    inside: Any = edge
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value

    assert _problems(edge)
