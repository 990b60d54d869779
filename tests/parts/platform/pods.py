"""Processes as the chart renders them: commands, variables, files; only addresses are replaced."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from tests.parts.chart.processes import below, moved
from tests.parts.chart.rendered import PLATFORM, WORKLOADS, Rendered, of_kind, pod_of, variables
from tests.parts.dev_process import Place
from tests.parts.ports import free_port

_ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - it is replaced
_COMPONENT: Final = "app.kubernetes.io/component"

Secrets = Mapping[str, Mapping[str, str]]
"""What a platform's engineers create before they install the chart: by name and key."""


@dataclass(frozen=True)
class Site:
    """What the pods run on: a folder for their files, Secrets, the addresses of the brokers."""

    folder: Path
    secrets: Secrets = field(repr=False)
    bootstrap: str


@dataclass(frozen=True)
class Container:
    """A command with its variables, and the folder that is its file system."""

    args: Sequence[str]
    place: Place

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that the chart gives it."""
        return self.place.environ


@dataclass(frozen=True)
class Pod:
    """One replica of a workload, with the container that runs before it, if there is one."""

    name: str
    component: str
    main: Container
    doctor: Container
    """What checks it: the init container, or its own environment if it has none."""
    ports: Mapping[str, int]

    @cached_property
    def user(self) -> str:
        """The user on Kafka."""
        return self.main.environ["PAYROUTER_KAFKA__SASL_USERNAME"]


def pods(site: Site) -> Iterator[Pod]:
    """Yield every pod of payrouter, those of jobs included."""
    for workload in of_kind(PLATFORM, *WORKLOADS).values():
        if workload["metadata"]["labels"][_COMPONENT] != "test":
            for number in range(workload["spec"].get("replicas", 1)):
                yield _pod(site, workload, f"{workload['metadata']['name']}-{number}")


def _pod(site: Site, workload: Rendered, name: str) -> Pod:
    component = workload["metadata"]["labels"][_COMPONENT]
    root, pod = site.folder / name, pod_of(workload)
    for volume in pod["volumes"]:
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            for mount in container["volumeMounts"]:
                if mount["name"] == volume["name"]:
                    _fill(site, volume, below(root, mount["mountPath"]), root)
    (only,) = pod["containers"]
    ports = {each["name"]: free_port() for each in only.get("ports", [])}
    main = _container(site, only, name, ports)
    first = pod.get("initContainers", [])
    doctor = _container(site, first[0], name, ports) if first else main
    return Pod(name, component, main, doctor, ports)


def _container(site: Site, rendered: Rendered, name: str, ports: Mapping[str, int]) -> Container:
    root = site.folder / name
    environ = {
        key: str(below(root, value)) if value.startswith("/") else value
        for key, value in variables(rendered).items()
    }
    environ |= {each["name"]: name for each in rendered["env"] if "valueFrom" in each}
    environ |= {key: "127.0.0.1" for key, value in environ.items() if value == _ANYWHERE}
    if "PAYROUTER_KAFKA__BOOTSTRAP_SERVERS" in environ:
        environ["PAYROUTER_KAFKA__BOOTSTRAP_SERVERS"] = site.bootstrap
    for key in [key for key in environ if key.endswith("_HOST")]:
        # One machine has one port of a number: each process gets its own.
        kind = "management" if "MANAGEMENT" in key else "webhooks"
        environ[key.removesuffix("_HOST") + "_PORT"] = str(ports[kind])
    return Container(rendered["args"], Place(root, environ))


def _fill(site: Site, volume: Rendered, folder: Path, root: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if "configMap" in volume:
        files = of_kind(PLATFORM, "ConfigMap")[volume["configMap"]["name"]]["data"]
        for name, text in files.items():
            (folder / name).write_text(moved(text, root))
    elif "secret" in volume:
        secret = site.secrets[volume["secret"]["secretName"]]
        items = volume["secret"].get("items", [{"key": key, "path": key} for key in secret])
        for item in items:
            (folder / item["path"]).write_text(secret[item["key"]])


def beside(pod: Pod, folder: Path, user: str, password: str) -> Pod:
    """Return an operator's shell: the environment of a pod, with another user on Kafka."""
    folder.mkdir(parents=True)
    file = folder / "password"
    file.write_text(password)
    own = {
        "PAYROUTER_KAFKA__SASL_USERNAME": user,
        "PAYROUTER_KAFKA__SASL_PASSWORD_FILE": str(file),
    }
    shell = Container((), Place(folder, {**pod.main.environ, **own}))
    return replace(pod, name=user, component="operator", main=shell, doctor=shell)
