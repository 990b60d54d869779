"""The data directory of `payrouter dev`, where other commands find a running `dev`."""

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
from router.configuration.sources import KeyPath, Sources, gather_sources
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
        """The configuration with random secrets that `dev` generates if none is given."""
        return generated_path(self.path)

    @property
    def running_file(self) -> Path:
        """The file with the addresses of a running `dev`."""
        return running_path(self.path)

    def make(self) -> None:
        """Create the directory, accessible to its owner only."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            message = f"--data-dir: cannot create {self.path}: {error.strerror}"
            raise ConfigurationError(message) from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Lock the directory for this process; raise ConfigurationError if another has the lock.

        The operating system releases the lock when the process ends, even if it is killed.
        """
        self.make()
        with _opened(self.path / "lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                other = self.running()
                by = f", as process {other['pid']}" if other else ""
                message = f"--data-dir: dev already runs on {self.path}{by}"
                raise ConfigurationError(message) from None
            yield

    @contextlib.contextmanager
    def kept_private(self) -> Iterator[None]:
        """Restrict the directory's mode again after the block, if the database widened it.

        As root, the database runs as another user, who must be able to reach its folder but not
        to list the directory.
        """
        before = stat.S_IMODE(self.path.stat().st_mode)
        try:
            yield
        finally:
            after = stat.S_IMODE(self.path.stat().st_mode)
            if after != before:
                self.path.chmod(before | (after & 0o011))

    def generate(self, examples: "Mapping[str, Example]") -> Path:
        """Write a configuration with an endpoint per provider, unless there is one."""
        if not self.generated.exists():
            self.make()
            for provider, example in examples.items():
                self._keep_signing_key(provider, example.signing_key)
            _write_private(self.generated, _generated_text(examples))
        return self.generated

    def signing_key(self, endpoint: str) -> bytes | None:
        """Return the private key that simulates the gateway of an endpoint, None if it has none.

        The key is next to the generated configuration, in a file that no edge reads.
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
        """Write the addresses of this process, which is now running."""
        _write_private(self.running_file, json.dumps({"pid": os.getpid(), **addresses}, indent=2))

    def withdraw(self) -> None:
        """Remove the addresses."""
        self.running_file.unlink(missing_ok=True)

    def running(self) -> Mapping[str, Any] | None:
        """Return the addresses of a running `dev`, None if none is running."""
        return running_dev(self.path)


def resolve_settings(
    config: Path | None, data_dir: DataDir, environ: Mapping[str, str]
) -> Settings:
    """Load the configuration in force; `resolve_sources` documents its sources."""
    sources = resolve_sources(config, data_dir, environ)
    if sources.problems:
        raise ConfigurationError(*sources.problems)
    return settings_from(sources.values)


def resolve_sources(config: Path | None, data_dir: DataDir, environ: Mapping[str, str]) -> Sources:
    """Gather the values of the configuration in force.

    The file is the first of: `config`, PAYROUTER_CONFIG, that of the running
    `dev`, `payrouter.toml` in this folder, the one that `dev` generated.
    Addresses of a running `dev` supply what file and environment do not set;
    its ports override those of its own configuration, since they were given
    as options.
    """
    running = data_dir.running()
    path = config_path(config, data_dir, environ)
    sources = gather_sources(path, environ)
    if running is not None:
        own = path is not None and str(path.resolve()) == running.get("config")
        sources.of_dev |= {*_fill_in(sources.values, running.get("ports", {}), over=own)}
        sources.of_dev |= {*_fill_in(sources.values, running.get("addresses", {}))}
    return sources


def config_path(config: Path | None, data_dir: DataDir, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file in force, None if there is none."""
    return configuration_path(config, data_dir.path, environ)


def _fill_in(
    values: dict[str, Any], extra: Mapping[str, Any], *, over: bool = False
) -> Iterator[KeyPath]:
    """Add values that are not given, all of them if `over`; yield the path of each."""
    for key, value in extra.items():
        if isinstance(value, Mapping):
            table = values.setdefault(key, {})
            if isinstance(table, dict):
                yield from ((key, *path) for path in _fill_in(table, value, over=over))
        elif over or key not in values:
            values[key] = value
            yield (key,)


_CLAIMING = {"resmic"}
"""Gateways that report only the price of a payment. Their orders would never be sold."""


def _generated_text(examples: "Mapping[str, Example]") -> str:
    lines = [
        "# Generated by `payrouter dev`: an endpoint for each gateway, with random secrets.",
        "# Edit it freely; delete it to generate a new one.",
    ]
    for provider, example in sorted(examples.items()):
        values = {
            "provider": provider,
            # Test money needs a separate account.
            "account": "demo-test" if example.settings.get("mode") == "test" else "demo-shop",
            "secrets": [secrets.token_urlsafe(32)],
            **example.settings,
        }
        lines += _table_lines(f"endpoints.{provider}", values)
    if claiming := sorted(_CLAIMING & examples.keys()):
        lines += [
            "",
            "# Their amounts are prices, not what arrived on chain; they count as paid here.",
        ]
        for consumer in ("ledger", "inventory"):
            lines += _table_lines(f"consumers.{consumer}", {"count_claimed": claiming})[1:]
    return "\n".join(lines) + "\n"


def _table_lines(name: str, values: Mapping[str, Any]) -> list[str]:
    """Return the lines of a table, followed by those of its subtables."""
    within = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = ["", f"[{name}]"]
    # Strings, booleans and lists of them are written in TOML as in JSON.
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
