"""The data directory of `payrouter dev`: where a running one leaves what other commands need."""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router.configuration import read_sources
from router.errors import ConfigurationError
from router.settings import Settings, settings_from

DEFAULT = Path(".payrouter")


@dataclass(frozen=True)
class DataDir:
    """A data directory; it need not exist."""

    path: Path

    @property
    def generated(self) -> Path:
        """The configuration that `dev` makes where none is given, with random secrets."""
        return self.path / "payrouter.toml"

    @property
    def running_file(self) -> Path:
        """The addresses of a running `dev`."""
        return self.path / "running.json"

    def make(self) -> None:
        """Make the directory, for its owner alone."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def generate(self, providers: Iterable[str]) -> Path:
        """Write a configuration with an endpoint per provider, keeping one that is there."""
        if not self.generated.exists():
            _write_private(self.generated, _generated_text(providers))
        return self.generated

    def announce(self, addresses: Mapping[str, Any]) -> None:
        """Leave the addresses of this process, which is running now."""
        _write_private(self.running_file, json.dumps({"pid": os.getpid(), **addresses}, indent=2))

    def withdraw(self) -> None:
        """Take the addresses away again."""
        self.running_file.unlink(missing_ok=True)

    def running(self) -> Mapping[str, Any] | None:
        """Return what a running `dev` has left here, None where none runs."""
        try:
            found = json.loads(self.running_file.read_text(encoding="utf-8"))
            os.kill(found["pid"], 0)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, dict) else None


def resolve_settings(
    config: Path | None, data_dir: DataDir, environ: Mapping[str, str]
) -> Settings:
    """Load the configuration in force.

    The file is, in this order: `config`, PAYROUTER_CONFIG, `payrouter.toml`
    here, that of the running `dev`. Addresses of a running `dev` fill in what
    file and environment leave open.
    """
    running = data_dir.running()
    values = read_sources(config_path(config, data_dir, environ), environ)
    if running is not None:
        _fill_in(values, running.get("addresses", {}))
    return settings_from(values)


def config_path(config: Path | None, data_dir: DataDir, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file in force, None where there is none."""
    if config is not None:
        return config
    if environ.get("PAYROUTER_CONFIG"):
        return Path(environ["PAYROUTER_CONFIG"])
    running = data_dir.running()
    if running is not None and running.get("config"):
        return Path(running["config"])
    candidates = (Path("payrouter.toml"), data_dir.generated)
    return next((path for path in candidates if path.exists()), None)


def _fill_in(values: dict[str, Any], addresses: Mapping[str, Any]) -> None:
    for key, value in addresses.items():
        if isinstance(value, Mapping):
            table = values.setdefault(key, {})
            if isinstance(table, dict):
                _fill_in(table, value)
        else:
            values.setdefault(key, value)


def _generated_text(providers: Iterable[str]) -> str:
    lines = [
        "# Made by `payrouter dev`: an endpoint for each gateway, with random secrets.",
        "# Yours to change; delete it to have a new one made.",
    ]
    for provider in sorted(providers):
        lines += [
            "",
            f"[endpoints.{provider}]",
            f'provider = "{provider}"',
            'account = "demo-shop"',
            f'secrets = ["{secrets.token_urlsafe(32)}"]',
        ]
    return "\n".join(lines) + "\n"


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(".tmp")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
        draft.replace(path)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise ConfigurationError(message) from None
