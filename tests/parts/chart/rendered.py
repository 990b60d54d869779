"""The chart's objects as helm rendered them; `make chart` writes the files again."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[3]
CHART: Final = ROOT / "deploy" / "helm" / "payrouter"
SAMPLES: Final = ROOT / "tests" / "samples" / "chart"
RENDERED: Final = SAMPLES / "rendered"
DIGEST: Final = RENDERED / "digest"

CASES: Final[Mapping[str, Path]] = {
    "small": CHART / "values-small.yaml",
    "large": CHART / "values-large.yaml",
    "plain": SAMPLES / "values" / "plain.yaml",
    "certificates": SAMPLES / "values" / "certificates.yaml",
    "durable": SAMPLES / "values" / "durable.yaml",
}
"""The values that the chart is rendered with."""

PLATFORM: Final = "platform"
"""What `make platform` runs."""

RENDERINGS: Final[Mapping[str, Path]] = {
    **CASES,
    PLATFORM: SAMPLES / "values" / "platform.yaml",
}
"""All of them, with those that only a long run uses."""

Rendered = dict[str, Any]
"""One object of Kubernetes."""

WORKLOADS: Final = ("Deployment", "StatefulSet", "Job")


@cache
def objects(case: str) -> tuple[Rendered, ...]:
    """Return every object of a case."""
    # libyaml's loader: the files have thousands of lines.
    found = yaml.load_all((RENDERED / f"{case}.yaml").read_text(), yaml.CSafeLoader)
    return tuple(each for each in found if each)


def of_kind(case: str, *kinds: str) -> dict[str, Rendered]:
    """Return the objects of these kinds by name."""
    return {each["metadata"]["name"]: each for each in objects(case) if each["kind"] in kinds}


def the(case: str, kind: str, component: str) -> Rendered:
    """Return the only object of a kind that a component has."""
    found = [
        each
        for each in of_kind(case, kind).values()
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    (only,) = found
    return only


def edge_of(case: str) -> Rendered:
    """Return the workload of the edge: a StatefulSet if it has a spool."""
    found = [
        each
        for each in of_kind(case, "Deployment", "StatefulSet").values()
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "edge"
    ]
    (only,) = found
    return only


def pod_of(workload: Rendered) -> Rendered:
    """Return the specification of a workload's pods."""
    pod: Rendered = workload["spec"]["template"]["spec"]
    return pod


def containers(pod: Rendered) -> list[Rendered]:
    """Return the containers of a pod, those that run before it included."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def variables(container: Rendered) -> dict[str, str]:
    """Return a container's variables that have a value."""
    return {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}


def chart_digest() -> str:
    """Return a digest of everything that a rendering depends on."""
    whole = hashlib.sha256()
    for path in _sources():
        name = str(path.relative_to(ROOT)).encode()
        whole.update(len(name).to_bytes(4) + name)
        content = path.read_bytes()
        whole.update(len(content).to_bytes(4) + content)
    return whole.hexdigest()


def _sources() -> Iterator[Path]:
    # `rglob` does not follow links to folders.
    linked = [each for each in (CHART / "files").iterdir() if each.is_symlink()]
    found = {*CHART.rglob("*"), *(SAMPLES / "values").iterdir()}
    found |= {path for folder in linked for path in folder.iterdir()}
    yield from sorted(path for path in found if path.is_file() and path.suffix != ".md")
