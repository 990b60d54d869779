"""docker-compose.yml read once, and what its processes would make of it."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import yaml

from router.configuration.settings import Settings, load_settings

ROOT: Final = Path(__file__).parents[3]
COMPOSE: Final = ROOT / "docker-compose.yml"
DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
SECRETS: Final = ROOT / "deploy" / "secrets"
PROXY: Final = ROOT / "deploy" / "proxy" / "Caddyfile"
PROMETHEUS: Final[dict[str, Any]] = yaml.safe_load(
    (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
)
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SYSTEM: Final[dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = SYSTEM["services"]

OPTIONAL: Final = sorted(name for name, s in SERVICES.items() if s.get("profiles"))
"""Services that run only with their profile."""

OURS: Final = sorted(name for name, s in SERVICES.items() if s["image"].startswith("payrouter:"))
"""The services that run payrouter, jobs included."""


def bind_mounts(service: str) -> dict[str, str]:
    """Return where in the container, and what of the project's folder."""
    volumes = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return {parts[1]: parts[0] for parts in volumes if parts[0].startswith("./")}


def environment(service: str) -> dict[str, str]:
    """Return the variables of a service as its process sees them, without a file `.env`."""
    given = SERVICES[service].get("environment", {}).items()
    return {key: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(value)) for key, value in given}


def secrets_of(service: str) -> set[str]:
    """Return the names of the secrets that are mounted into a service."""
    return set(SERVICES[service].get("secrets", []))


def make_secrets(folder: Path) -> Path:
    """Make the secrets in a folder, as an operator does."""
    folder.mkdir(exist_ok=True)
    script = shutil.copy(SECRETS / "create.sh", folder)
    subprocess.run(["/bin/sh", script], check=True, capture_output=True, timeout=30)
    return folder


def write_secrets(folder: Path) -> Path:
    """Write secrets like those of `make_secrets` to a folder, without starting a shell."""
    folder.mkdir(exist_ok=True)
    made = {name: token_hex(32) for name in SYSTEM["secrets"]}
    password = made["postgres_password"]
    made["database_url"] = f"postgresql+asyncpg://payrouter:{password}@postgres:5432/payrouter"
    for name, text in made.items():
        (folder / name).write_text(text + "\n")
    return folder


def settings_of(
    service: str, folder: Path, secrets: Callable[[Path], Path] = write_secrets
) -> Settings:
    """Load what a service would: its variables, its file, and of the secrets its own alone."""
    made = secrets(folder / "all")
    own = folder / "own"
    own.mkdir()
    for name in secrets_of(service):
        shutil.copy(made / name, own)
    environ = {
        key: value.replace("/run/secrets", str(own)) for key, value in environment(service).items()
    }
    path = None
    if inside := environ.get("PAYROUTER_CONFIG"):
        path = folder / "payrouter.toml"
        text = (ROOT / bind_mounts(service)[inside]).read_text()
        path.write_text(text.replace("/run/secrets", str(own)))
    return load_settings(path, environ)


def dockerfile(instruction: str) -> list[list[str]]:
    """Return the words behind each occurrence of an instruction."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{instruction} ")]


def scrape_targets() -> dict[str, list[str]]:
    """Return what Prometheus scrapes, by job."""
    return {
        job["job_name"]: [target for group in job["static_configs"] for target in group["targets"]]
        for job in PROMETHEUS["scrape_configs"]
    }


def named_secrets(text: str) -> set[str]:
    """Return the secrets whose files a text names."""
    return set(re.findall(r"/run/secrets/(\w+)", text))
