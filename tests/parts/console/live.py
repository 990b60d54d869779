"""A live system with its troubles, and the console that its people open."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from consumers.console.access.passwords import hashed
from router.evaluation.data_dir import DataDir
from tests.parts.console import shop, troubles
from tests.parts.console.client import ConsoleClient
from tests.parts.dev_process import Dev, Place, place_in, started
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.waiting import SYSTEM_PATIENCE_SECONDS, until

PASSWORDS: Final[Mapping[str, str]] = {
    "ada": "correct-horse-of-ada",
    "olga": "correct-horse-of-olga",
    "vera": "correct-horse-of-vera",
    "uwe": "correct-horse-of-uwe",
}
_ROLES: Final[Mapping[str, str]] = {
    "ada": 'roles = { "*" = "admin" }\npersonal = true',
    "olga": f'roles = {{ {shop.EU} = "operator" }}',
    "vera": f'roles = {{ {shop.EU} = "viewer" }}',
    "uwe": f'roles = {{ {shop.US} = "admin" }}\npersonal = true',
}
"""An admin of everything; an operator and a viewer of one account; an admin of another one."""

SESSION_SECRET: Final = "the-secret-that-signs-the-cookies-of-the-console"


@dataclass(frozen=True)
class LiveConsole:
    """The running console, next to the system that it shows."""

    port: int
    management_port: int
    dev: Dev
    stderr: Path = field(repr=False)

    @property
    def url(self) -> str:
        """The URL of its first page, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> Place:
        """The folder in which commands run."""
        return self.dev.place

    @property
    def log(self) -> str:
        """Everything that it has logged."""
        return self.stderr.read_text(encoding="utf-8")

    def metrics(self) -> str:
        """Return the text of its `/metrics`."""
        return ConsoleClient(self.management_port).get("/metrics").text


@contextlib.contextmanager
def live_console(folder: Path) -> Iterator[LiveConsole]:
    """Run the system, let everything happen to the shop, and run the console during the block."""
    file, later = folder / "payrouter.toml", folder / "console.toml"
    port, management = free_port(), free_port()
    with place_in(folder) as place:
        file.write_text(shop.configuration(knows_settled=False), encoding="utf-8")
        with started(place) as dev:
            dev.until_ready()
            running = DataDir(place.data_dir).running()
            assert running is not None
            troubles.happen(place, dev.port, running["addresses"])
            # The shop has learned the word since. Without its own file, the console would take
            # the ports of the one that `dev` runs, which has no sign-in.
            own = _console_table(port, management, dev.port + 1000)
            later.write_text(shop.configuration(knows_settled=True) + own, encoding="utf-8")
            with _process(place, later, (port, management)) as stderr:
                yield LiveConsole(port, management, dev, stderr)


def _console_table(port: int, management: int, edge: int) -> str:
    lines = [
        "",
        "[console]",
        f"port = {port}",
        f"management_port = {management}",
        "actions = true",
        'zone = "Europe/Berlin"',
        f'session_secret = "{SESSION_SECRET}"',
        f'edges = ["http://127.0.0.1:{edge}/metrics"]',
    ]
    for name, password in PASSWORDS.items():
        lines += [f"[console.users.{name}]", f'password_hash = "{hashed(password)}"', _ROLES[name]]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _process(place: Place, config: Path, ports: tuple[int, int]) -> Iterator[Path]:
    """Run the console until the end of the block, and yield the file of its log."""
    stderr = place.folder / "console.err"
    command = ["console", "--config", str(config), "--data-dir", str(place.data_dir)]
    with stderr.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "consumers", *command],
            cwd=place.folder,
            env={**os.environ, **place.environ},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    leash = Leash(process.pid)

    def answers() -> bool:
        assert process.poll() is None, stderr.read_text()
        with contextlib.suppress(OSError):
            return all(
                ConsoleClient(own).get(path).status == 200
                for own, path in zip(ports, ("/sign-in", "/readyz"), strict=True)
            )
        return False

    try:
        until(answers, "the console", pause=0.2)
        yield stderr
    finally:
        process.terminate()
        process.wait(SYSTEM_PATIENCE_SECONDS)
        leash.release()
        place.printed.append(stderr.read_text(encoding="utf-8"))
