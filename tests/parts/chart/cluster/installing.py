"""Installs the chart with helm on the API server, upgrades it to other values, and removes it."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.parts.chart.cluster.server import ApiServer
from tests.parts.chart.rendered import CASES, CHART, objects
from tests.parts.chart.rendering import find_helm, run_helm

RELEASE: Final = "payrouter"
NAMESPACE: Final = "installed"


def install_and_upgrade(server: ApiServer, counts: Counter[str]) -> Iterator[str]:
    """Run helm for every case whose kinds are defined, and yield a line for each failure.

    Without hooks: no node would run their jobs.
    """
    helm = find_helm()
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    known = [case for case in CASES if all(server.knows(each) for each in objects(case))]
    with TemporaryDirectory() as folder:
        access = Path(folder) / "kubeconfig"
        access.touch(mode=0o600)
        access.write_text(_kubeconfig(server))
        common = ("--kubeconfig", str(access), "--namespace", NAMESPACE, "--no-hooks")
        for case in [*known, known[0]]:
            values = ("--install", "--values", str(CASES[case]))
            ran = run_helm(helm, "upgrade", RELEASE, str(CHART), *values, *common)
            counts["installations and upgrades by helm"] += 1
            if ran.returncode:
                yield f"helm upgrade, {case}: {ran.stderr}"
        ran = run_helm(helm, "uninstall", RELEASE, *common)
        if ran.returncode:
            yield f"helm uninstall: {ran.stderr}"


def _kubeconfig(server: ApiServer) -> str:
    """Return a kubeconfig; JSON is YAML too."""
    cluster = {"server": server.url, "insecure-skip-tls-verify": True}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": cluster}],
            "users": [{"name": "own", "user": {"token": server.token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
            "current-context": "own",
        }
    )
