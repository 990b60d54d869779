"""The data directory of `payrouter dev`: where a running one leaves what other commands need."""

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.configuration.settings import Settings, settings_from
from router.configuration.sources import Sources, gather_sources
from router.errors import ConfigurationError
from router.terminal.configuration_file import (
    configuration_path,
    generated_path,
    running_dev,
    running_path,
)

if TYPE_CHECKING:
    from router.providers import Example


@dataclass(frozen=True)
class DataDir:
    """A data directory; it need not exist."""

    path: Path

    @property
    def generated(self) -> Path:
        """The configuration that `dev` makes where none is given, with random secrets."""
        return generated_path(self.path)

    @property
    def running_file(self) -> Path:
        """The addresses of a running `dev`."""
        return running_path(self.path)

    def make(self) -> None:
        """Make the directory, for its owner alone."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"--data-dir: cannot make {self.path}: {error.strerror}"
            raise ConfigurationError(message) from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the directory for this process; raise ConfigurationError where another has it.

        The operating system lets go of it when the process ends, in whatever way.
        """
        self.make()
        with _opened(self.path / "lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                other = self.running()
                by = f", as process {other['pid']}" if other else ""
                message = f"--data-dir: dev runs on {self.path} already{by}"
                raise ConfigurationError(message) from None
            yield

    @contextlib.contextmanager
    def kept_private(self) -> Iterator[None]:
        """Give the directory its mode back after the block, where the database opened it.

        A root's database runs as another user, who has to pass through, but not to look around.
        """
        before = stat.S_IMODE(self.path.stat().st_mode)
        try:
            yield
        finally:
            after = stat.S_IMODE(self.path.stat().st_mode)
            if after != before:
                self.path.chmod(before | (after & 0o011))

    def generate(self, examples: "Mapping[str, Example]") -> Path:
        """Write a configuration with an endpoint per provider, keeping one that is there."""
        if not self.generated.exists():
            self.make()
            for provider, example in examples.items():
                self._keep_signing_key(provider, example.signing_key)
            _write_private(self.generated, _generated_text(examples))
        return self.generated

    def signing_key(self, endpoint: str) -> bytes | None:
        """Return the private key that plays the gateway of an endpoint, None where it has none.

        It lies beside the generated configuration, in no file that an edge reads.
        """
        try:
            return self._signing_file(endpoint).read_bytes()
        except OSError:
            return None

    def _keep_signing_key(self, endpoint: str, key: bytes | None) -> None:
        if key is not None:
            _write_private(self._signing_file(endpoint), key.decode("ascii"))

    def _signing_file(self, endpoint: str) -> Path:
        return self.path / f"signing-{endpoint}.pem"

    def announce(self, addresses: Mapping[str, Any]) -> None:
        """Leave the addresses of this process, which is running now."""
        _write_private(self.running_file, json.dumps({"pid": os.getpid(), **addresses}, indent=2))

    def withdraw(self) -> None:
        """Take the addresses away again."""
        self.running_file.unlink(missing_ok=True)

    def running(self) -> Mapping[str, Any] | None:
        """Return what a running `dev` has left here, None where none runs."""
        return running_dev(self.path)


def resolve_settings(
    config: Path | None, data_dir: DataDir, environ: Mapping[str, str]
) -> Settings:
    """Load the configuration in force; `resolve_sources` says from where."""
    sources = resolve_sources(config, data_dir, environ)
    if sources.problems:
        raise ConfigurationError(*sources.problems)
    return settings_from(sources.values)


def resolve_sources(config: Path | None, data_dir: DataDir, environ: Mapping[str, str]) -> Sources:
    """Gather the configuration in force.

    The file is, in this order: `config`, PAYROUTER_CONFIG, that of the running
    `dev`, `payrouter.toml` here, the one a `dev` made. Addresses of a running
    `dev` fill in what file and environment leave open; its ports count above
    those of its own configuration, since it was told them.
    """
    running = data_dir.running()
    path = config_path(config, data_dir, environ)
    sources = gather_sources(path, environ)
    if running is not None:
        own = path is not None and str(path.resolve()) == running.get("config")
        _fill_in(sources.values, running.get("ports", {}), over=own)
        _fill_in(sources.values, running.get("addresses", {}))
    return sources


def config_path(config: Path | None, data_dir: DataDir, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file in force, None where there is none."""
    return configuration_path(config, data_dir.path, environ)


def _fill_in(values: dict[str, Any], told: Mapping[str, Any], *, over: bool = False) -> None:
    for key, value in told.items():
        if isinstance(value, Mapping):
            table = values.setdefault(key, {})
            if isinstance(table, dict):
                _fill_in(table, value, over=over)
        elif over or key not in values:
            values[key] = value


def _generated_text(examples: "Mapping[str, Example]") -> str:
    lines = [
        "# Made by `payrouter dev`: an endpoint for each gateway, with random secrets.",
        "# Yours to change; delete it to have a new one made.",
    ]
    for provider, example in sorted(examples.items()):
        values = {
            "provider": provider,
            # Test money needs an account of its own.
            "account": "demo-test" if example.settings.get("mode") == "test" else "demo-shop",
            "secrets": [secrets.token_urlsafe(32)],
            **example.settings,
        }
        lines += _table_lines(f"endpoints.{provider}", values)
    return "\n".join(lines) + "\n"


def _table_lines(name: str, values: Mapping[str, Any]) -> list[str]:
    """Write a table, and those within it behind it."""
    within = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = ["", f"[{name}]"]
    # TOML writes texts, truth values and lists of them as JSON does.
    lines += [
        f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
        if key not in within
    ]
    for key, value in within.items():
        lines += _table_lines(f"{name}.{_key(key)}", value)
    return lines


def _key(name: str) -> str:
    bare = name.replace("-", "_").isidentifier() and name.isascii()
    return name if bare else json.dumps(name, ensure_ascii=False)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        message = f"--data-dir: cannot write {path}: {error.strerror}"
        raise ConfigurationError(message) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


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
