"""Builds the API server from its Go module, and finds etcd and definitions of other kinds.

`k8s.io/kubernetes` builds only in a separate module, which replaces the modules of its staging
folder by the published ones. A first build takes minutes; the result stays in `build/bin`.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tests.parts.chart.rendered import ROOT

KUBERNETES: Final = "1.36.3"
DEFINITIONS: Final[Sequence[tuple[str, str]]] = (
    ("github.com/kedacore/keda/v2@v2.20.0", "config/crd/bases/keda.sh_*.yaml"),
    ("sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard/*_httproutes.yaml"),
)
"""Go modules that contain definitions, and the files."""

_SOURCE: Final = """package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
"""


def build_api_server() -> Path:
    """Return the API server, which is built if it is not there yet."""
    built = ROOT / "build" / "bin" / f"kube-apiserver-{KUBERNETES}"
    if not built.exists():
        folder = ROOT / "build" / "kube-apiserver"
        folder.mkdir(parents=True, exist_ok=True)
        source = _downloaded(f"k8s.io/kubernetes@v{KUBERNETES}")
        (folder / "main.go").write_text(_SOURCE)
        (folder / "go.mod").write_text(module_file((source / "go.mod").read_text()))
        _go("mod", "tidy", folder=folder)
        # Without it, helm would find a server without a version, and refuse it.
        version = f"-X k8s.io/component-base/version.gitVersion=v{KUBERNETES}"
        _go("build", "-ldflags", version, "-o", str(built), ".", folder=folder)
    return built


def module_file(theirs: str) -> str:
    """Return a go.mod for the API server, made of the one of Kubernetes."""
    staged = re.findall(r"(k8s\.io/[a-z-]+) => \./staging/", theirs)
    version = f"v0.{KUBERNETES.partition('.')[2]}"
    replaced = "".join(f"replace {name} => {name} {version}\n" for name in staged)
    (go,) = re.findall(r"^go \S+$", theirs, re.MULTILINE)
    return f"module apiserver\n\n{go}\n\nrequire k8s.io/kubernetes v{KUBERNETES}\n\n{replaced}"


def find_etcd() -> str:
    """Return etcd, as Debian's package etcd-server installs it."""
    found = shutil.which("etcd")
    if found is None:
        message = "there is no etcd; install Debian's etcd-server"
        raise FileNotFoundError(message)
    return found


def definitions(folder: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the definitions of kinds that Go modules contain, and those in a folder."""
    paths = [p for module, files in DEFINITIONS for p in _downloaded(module).glob(files)]
    if folder is not None:
        paths += sorted(folder.rglob("*.yaml"))
    for path in paths:
        for found in yaml.safe_load_all(path.read_text()):
            if found and found["kind"] == "CustomResourceDefinition":
                yield found


def _downloaded(module: str) -> Path:
    answer = json.loads(_go("mod", "download", "-json", module))
    return Path(answer["Dir"])


def _go(*arguments: str, folder: Path = ROOT) -> str:
    go = shutil.which("go") or "go"
    ran = subprocess.run([go, *arguments], check=True, cwd=folder, stdout=subprocess.PIPE)
    return ran.stdout.decode()
