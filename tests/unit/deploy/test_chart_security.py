"""The chart's pods have no rights they do not need, and its objects contain no secret."""

import json
import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import BaseModel, SecretStr

from router.configuration.settings import Settings
from tests.parts.chart.rendered import (
    CASES,
    CHART,
    DIGEST,
    WORKLOADS,
    Rendered,
    chart_digest,
    containers,
    objects,
    of_kind,
    pod_of,
)

SCHEMA: Final[dict[str, Any]] = json.loads((CHART / "values.schema.json").read_text())
VALUES: Final[dict[str, Any]] = yaml.safe_load((CHART / "values.yaml").read_text())
ENVIRONMENT: Final = Draft7Validator({**SCHEMA["definitions"]["env"]})


def test_renderings_are_those_of_this_chart() -> None:
    assert DIGEST.read_text().strip() == chart_digest(), "run `make chart`, and read its changes"


def workloads() -> Iterator[Rendered]:
    for case in CASES:
        yield from of_kind(case, *WORKLOADS).values()


def test_pods_run_as_the_user_of_the_image_with_a_restricted_profile() -> None:
    for workload in workloads():
        pod = pod_of(workload)
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert (security["runAsUser"], security["runAsGroup"]) == (10001, 10001)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_variables_that_kubernetes_makes_of_services_are_off() -> None:
    """PAYROUTER_EDGE_PORT of a Service payrouter-edge would be refused as an unknown key."""
    assert all(pod_of(workload)["enableServiceLinks"] is False for workload in workloads())


def test_containers_have_limits_of_memory_and_requests_of_cpu() -> None:
    for workload in workloads():
        for container in containers(pod_of(workload)):
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


def test_no_object_contains_a_secret() -> None:
    for case in CASES:
        assert not of_kind(case, "Secret")
        text = yaml.safe_dump_all(each for each in objects(case) if each["kind"] != "ConfigMap")
        assert not re.search(r"postgresql\+asyncpg://|BEGIN [A-Z ]*PRIVATE KEY", text)


def test_secrets_are_mounted_for_the_group_alone_and_read_only() -> None:
    for workload in workloads():
        pod = pod_of(workload)
        secret = {each["name"] for each in pod["volumes"] if "secret" in each}
        for volume in pod["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["defaultMode"] == 0o440
                assert pod["securityContext"]["fsGroup"] == 10001
        for container in containers(pod):
            for mount in container["volumeMounts"]:
                assert mount["name"] not in secret or mount["readOnly"] is True
                assert "subPath" not in mount, "a folder is updated, a subPath is not"


def test_volumes_that_are_mounted_are_the_ones_declared() -> None:
    for workload in workloads():
        pod = pod_of(workload)
        mounted = {m["name"] for c in containers(pod) for m in c["volumeMounts"]}
        claimed = workload["spec"].get("volumeClaimTemplates", [])
        declared = [*pod["volumes"], *(claim["metadata"] for claim in claimed)]
        assert mounted == {volume["name"] for volume in declared}, workload["metadata"]


def _secrets(model: type[BaseModel], under: str) -> Iterator[str]:
    """Yield the variables of a model's secrets."""
    for name, field in model.model_fields.items():
        variable = under + name.upper()
        for part in _parts(field.annotation):
            if part is SecretStr:
                yield variable
            elif isinstance(part, type) and issubclass(part, BaseModel):
                yield from _secrets(part, f"{variable}__")


def _parts(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - an annotation
    if get_origin(annotation) in {Union, UnionType, tuple, dict, list} or get_args(annotation):
        for inner in get_args(annotation):
            yield from _parts(inner)
    else:
        yield annotation


SECRETS: Final = sorted(set(_secrets(Settings, "PAYROUTER_")))


def test_models_have_secrets() -> None:
    assert {"PAYROUTER_KAFKA__SASL_PASSWORD", "PAYROUTER_ENDPOINTS__SECRETS"} <= set(SECRETS)


@pytest.mark.parametrize("variable", SECRETS)
def test_no_secret_can_be_given_as_a_variable(variable: str) -> None:
    assert not ENVIRONMENT.is_valid({variable: "x"})


def test_other_variables_can_be_given() -> None:
    assert ENVIRONMENT.is_valid({"PAYROUTER_EDGE__MAX_IN_FLIGHT": "1024"})
    assert not ENVIRONMENT.is_valid({"PAYROUTER_EDGE__PORT": "1"})
    assert not ENVIRONMENT.is_valid({"DATABASE_PASSWORD": "x"})


@pytest.mark.parametrize("variable", SECRETS)
def test_no_secret_can_be_in_the_configuration_of_a_config_map(variable: str) -> None:
    names = (CHART / "templates" / "_pod.tpl").read_text()
    found = re.search(r"\((secrets\|[a-z_|]+)\)", names)

    assert found is not None
    assert variable.rpartition("__")[2].lower() in found[1].split("|")


def test_values_of_the_chart_are_valid_by_its_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    validator = Draft7Validator(SCHEMA)
    for path in (CHART / "values.yaml", *CASES.values()):
        problems = [
            error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))
        ]
        assert problems == [], path


def test_schema_knows_every_value_and_no_other() -> None:
    """A value that is not declared is refused, so a misspelt one is found."""

    def compare(schema: dict[str, Any], values: dict[str, Any], at: str) -> None:
        if reference := schema.get("$ref"):
            schema = SCHEMA["definitions"][reference.rpartition("/")[2]]
        if schema.get("additionalProperties") is not False:
            return
        declared = set(schema["properties"]) - {"global"}
        given = set(values)
        assert given <= declared, at
        if at != "consumerDefaults":
            assert declared - given <= {"secretName", "key"}, at
        for name, value in values.items():
            if isinstance(value, dict):
                compare(schema["properties"][name], value, name)

    compare(SCHEMA, VALUES, "values")
