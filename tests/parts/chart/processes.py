"""What a process of the chart would read: its variables, its files, and of the secrets its own."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Final

from router.configuration.settings import Settings, load_settings
from tests.parts.chart.rendered import Rendered, containers, of_kind, pod_of, variables
from tests.parts.edge.certificates import write_pair

ENDPOINTS: Final = """
[endpoints.blockatm-main]
provider = "blockatm"
account = "main"
secrets = ["{secret}"]
"""
"""The content of a Secret with a whole configuration."""

WHOLE: Final = ("current", "next", "url", "session", "client")
"""Keys of the Secrets that are mounted as they are, in the values of the samples."""


def payrouter_containers(case: str) -> Iterator[tuple[Rendered, Rendered]]:
    """Yield every container that runs a command of payrouter, with its workload."""
    for workload in of_kind(case, "Deployment", "StatefulSet", "Job").values():
        for container in containers(pod_of(workload)):
            if "command" not in container:
                yield workload, container


def settings_of(case: str, workload: Rendered, container: Rendered, root: Path) -> Settings:
    """Load what a container would, with its file system below `root`."""
    claims = workload["spec"].get("volumeClaimTemplates", [])
    volumes = [*pod_of(workload)["volumes"], *(claim["metadata"] for claim in claims)]
    for mount in container["volumeMounts"]:
        (volume,) = [v for v in volumes if v["name"] == mount["name"]]
        _fill(case, volume, below(root, mount["mountPath"]), root)
    environ = {
        name: str(below(root, value)) if value.startswith("/") else value
        for name, value in variables(container).items()
    }
    for each in container.get("env", []):
        if "valueFrom" in each:
            assert each["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
            environ[each["name"]] = f"{workload['metadata']['name']}-0"
    path = environ.get("PAYROUTER_CONFIG")
    return load_settings(Path(path) if path else None, environ)


def below(root: Path, path: str) -> Path:
    """Return where a file of a container is below a folder."""
    return root / path.lstrip("/")


def _fill(case: str, volume: Rendered, folder: Path, root: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if "configMap" in volume:
        for name, text in of_kind(case, "ConfigMap")[volume["configMap"]["name"]]["data"].items():
            (folder / name).write_text(moved(text, root))
    elif "secret" in volume:
        items = volume["secret"].get("items", [{"path": name} for name in WHOLE])
        for item in items:
            (folder / item["path"]).write_text(_content(volume["name"]))
        if volume["name"] == "tls":
            write_pair(folder / "tls.crt", folder / "tls.key", "the edge")


def _content(volume: str) -> str:
    if volume == "configuration":
        return ENDPOINTS.format(secret=token_hex(32))
    if volume.startswith("database"):
        return f"postgresql+asyncpg://payrouter:{token_hex(16)}@postgres:5432/payrouter"
    return token_hex(32)


def moved(text: str, root: Path) -> str:
    """Return a configuration whose files are below a folder."""
    for folder in ("/run/secrets", "/etc/payrouter"):
        text = text.replace(f'"{folder}', f'"{root}{folder}')
    return text
