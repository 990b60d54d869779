"""Applies every rendering of the chart to an API server, as an installation and as an upgrade."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.parts.chart.cluster.building import definitions
from tests.parts.chart.cluster.server import ApiServer, Reply
from tests.parts.chart.rendered import CASES, WORKLOADS, Rendered, objects

DEFINED_SECONDS: Final = 30
RESTRICTED: Final = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")
}


def check_all(server: ApiServer, folder: Path | None, counts: Counter[str]) -> Iterator[str]:
    """Apply everything, count what was done, and yield a line for each object that is not clean."""
    yield from _define(server, folder)
    yield from _problems(server.apply(_cluster_wide("scheduling.k8s.io/v1", "PriorityClass")), "")
    for case in CASES:
        server.apply(_cluster_wide("v1", "Namespace", case, RESTRICTED))
        for found in objects(case):
            yield from _apply(server, found, case, counts)
    # Over the objects of `small`, as `helm upgrade` does; it deletes jobs before.
    for found in objects("large"):
        if found["kind"] != "Job":
            yield from _apply(server, found, "small", counts)


def _define(server: ApiServer, folder: Path | None) -> Iterator[str]:
    for found in definitions(folder):
        yield from _problems(server.apply(found), found["metadata"]["name"])
        version = next(v["name"] for v in found["spec"]["versions"] if v["served"])
        sample = {
            "apiVersion": f"{found['spec']['group']}/{version}",
            "kind": found["spec"]["names"]["kind"],
        }
        until = time.monotonic() + DEFINED_SECONDS
        while not server.knows(sample) and time.monotonic() < until:
            time.sleep(0.1)


def _apply(
    server: ApiServer, found: Rendered, namespace: str, counts: Counter[str]
) -> Iterator[str]:
    name = f"{namespace}: {found['kind']} {found['metadata']['name']}"
    if not server.knows(found):
        counts[f"not checked, {found['kind']} is not defined"] += 1
        return
    counts["objects applied"] += 1
    yield from _problems(server.apply(found, namespace), name)
    if found["kind"] in WORKLOADS:
        counts["pods checked against the restricted profile"] += 1
        yield from _problems(server.try_create(_pod(found), namespace), f"{name}, its pod")


def _pod(workload: Rendered) -> Rendered:
    template = workload["spec"]["template"]
    metadata = {"name": "pod", "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _problems(reply: Reply, name: str) -> Iterator[str]:
    if not reply.clean:
        yield f"{name}: {reply.status} {reply.message} {' '.join(reply.warnings)}".strip()


def _cluster_wide(
    version: str, kind: str, name: str = "payments", labels: dict[str, str] | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": labels or {}},
    }
    return found | ({"value": 1000} if kind == "PriorityClass" else {})
