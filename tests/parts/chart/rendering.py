"""Helm: lints the chart, renders it with every set of values, and packages it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.parts.chart.rendered import (
    CASES,
    CHART,
    DIGEST,
    RENDERED,
    RENDERINGS,
    ROOT,
    chart_digest,
)

HELM_MODULE: Final = "helm.sh/helm/v3/cmd/helm@v3.22.0"
KUBERNETES: Final = "1.36.0"
"""Version that the chart is rendered for: an helm built from its module names an old one."""

LONG: Final = 4096
"""A value in a ConfigMap that is longer, as a dashboard is, is stored as its digest."""

REFUSED: Final[Sequence[tuple[str, str]]] = (
    ("edge.config=", "edge.config: the endpoints"),
    ("edge.host=", "edge.host: the name"),
    ('edge.config=[endpoints.a]\nsecrets \\= ["x"]', "edge.config: contains a secret"),
    ('consumers.ledger.config=[database]\nurl \\= "x"', "ledger.config: contains a secret"),
    ("kafka.bootstrapServers=", "kafka.bootstrapServers: the addresses"),
    ("kafka.bootstrapServers=kafka", "/kafka/bootstrapServers"),
    ("consumers.ledger.replicas=7", "ledger.replicas: 7 is more than topics.partitions, 6"),
    ("consumers.ledger.autoscaling.maxReplicas=7", "maxReplicas: 7 is more than topics.partitions"),
    ("consumers.ledger.autoscaling.minReplicas=0", "minReplicas"),
    ("edge.service.type=LoadBalancer", "edge.service.type: outside of the cluster"),
    ("ingress.tlsSecretName=", "tlsSecretName"),
    ("gateway.enabled=true,gateway.name=public", "httpsListener"),
    ("exporter.databases.ledger.secretName=a", "databases.inventory: missing"),
    ("edge.env.PAYROUTER_EDGE__PORT=1", "PAYROUTER_EDGE__PORT"),
    ("strimzi.enabled=true", "strimzi.cluster"),
    ("edge.spool.path=/var", "spool"),
)  # fmt: skip
"""Values over those of `small` that are refused, and what the message contains."""


class RenderingError(Exception):
    """Helm refuses, or accepts what it must refuse."""


def find_helm() -> str:
    """Return helm: that of HELM or of the path, or one that is built once from its module."""
    if found := os.environ.get("HELM") or shutil.which("helm"):
        return found
    built = ROOT / "build" / "bin" / "helm"
    if not built.exists():
        environ = os.environ | {"GOBIN": str(built.parent)}
        go = shutil.which("go") or "go"
        subprocess.run([go, "install", HELM_MODULE], check=True, env=environ)
    return str(built)


def run_helm(helm: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm and return what it printed."""
    return subprocess.run(
        [helm, *arguments], check=False, capture_output=True, text=True, timeout=120
    )


def lint(helm: str) -> None:
    """Lint the chart with its own values, and with those of every case."""
    for values in (CHART / "values.yaml", *RENDERINGS.values()):
        arguments = ("--strict", "--kube-version", KUBERNETES, "--values", str(values))
        _checked(run_helm(helm, "lint", str(CHART), *arguments))


def render(helm: str, case: str, chart: Path = CHART) -> str:
    """Return the objects of a case, with digests instead of long values."""
    arguments = ("--namespace", "pay", "--kube-version", KUBERNETES)
    result = run_helm(
        helm, "template", "payrouter", str(chart), *arguments, "--values", str(RENDERINGS[case])
    )
    return shortened(_checked(result))


def refuse(helm: str) -> None:
    """Check that wrong values are refused with a message that names them."""
    for wrong, message in REFUSED:
        arguments = ("--kube-version", KUBERNETES, "--values", str(CASES["small"]), "--set", wrong)
        result = run_helm(helm, "template", "payrouter", str(CHART), *arguments)
        if result.returncode == 0 or message not in result.stderr:
            text = f"{wrong}: expected «{message}», got {result.returncode} {result.stderr}"
            raise RenderingError(text)


def package(helm: str) -> None:
    """Check that the packaged chart, which has no project around it, renders the same."""
    with TemporaryDirectory() as folder:
        _checked(run_helm(helm, "package", str(CHART), "--destination", folder))
        (packaged,) = Path(folder).glob("*.tgz")
        for case in RENDERINGS:
            if render(helm, case, packaged) != render(helm, case):
                text = f"{case}: the packaged chart renders something else"
                raise RenderingError(text)


def write(helm: str) -> Iterator[str]:
    """Write every case and the digest of the chart, and yield the names of those that differ."""
    RENDERED.mkdir(exist_ok=True)
    for case in RENDERINGS:
        text, path = render(helm, case), RENDERED / f"{case}.yaml"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            yield case
    DIGEST.write_text(chart_digest() + "\n")


def shortened(text: str) -> str:
    """Replace values that are long texts, in JSON, by their digests."""
    return re.sub(rf'^(  [\w.-]+: )(".{{{LONG},}}")$', _digest, text, flags=re.MULTILINE)


def _digest(match: re.Match[str]) -> str:
    return match[1] + "sha256:" + hashlib.sha256(json.loads(match[2]).encode()).hexdigest()


def _checked(result: subprocess.CompletedProcess[str]) -> str:
    if result.returncode:
        raise RenderingError(result.stdout + result.stderr)
    return result.stdout
