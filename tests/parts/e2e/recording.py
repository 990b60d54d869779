"""Records the picture at the top of the README from a real run.

`python -m tests.parts.e2e.recording [PORT]` runs `make dev` and the commands of the README's
section "See it run" in terminals, and writes what they print to docs/images/session.svg. The edge
listens on PORT, by default 8080.
"""

import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from tests.parts.source import ROOT
from tests.parts.waiting import SYSTEM_PATIENCE_SECONDS, until

PICTURE: Final = ROOT / "docs" / "images" / "session.svg"
README: Final = ROOT / "README.md"
COMMAND: Final = "python -m tests.parts.e2e.recording"

COLUMNS: Final = 100
_READY: Final = re.compile(r"^ready http://", re.MULTILINE)
_SETTLING_SECONDS: Final = 3.0
"""Until consumers have applied what was sent, and `dev` has printed it."""

_BOX: Final = re.compile(r"^\S*payrouter dev .*?^Ctrl-C stops.*?\n", re.MULTILINE | re.DOTALL)
"""The screen of addresses and suggestions, which the picture leaves out."""

_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_REDRAW: Final = re.compile(r"\r|\x1b\[\?25[lh]|\x1b\[\d*[AK]")
_TOTALS: Final = re.compile(r"(?:\x1b\[\d+m)*(?:\d+ deliver|records applied)")
_FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fonts from elsewhere, which a browser does not load for a picture."""


@dataclass
class Terminal:
    """A program in a new terminal, and all its output there."""

    process: subprocess.Popen[bytes]
    printed: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.printed.decode("utf-8", "replace").replace("\r\n", "\n")


@contextlib.contextmanager
def terminal(command: Sequence[str], environ: dict[str, str]) -> Iterator[Terminal]:
    """Run a program in a terminal; interrupt it at the end of the block if it still runs."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, process_group=0
    )
    os.close(theirs)
    running = Terminal(process)
    reader = threading.Thread(target=_read, args=(ours, running.printed))
    reader.start()
    try:
        yield running
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(SYSTEM_PATIENCE_SECONDS)
        reader.join(SYSTEM_PATIENCE_SECONDS)
        os.close(ours)


def _read(descriptor: int, into: bytearray) -> None:
    # The end of a terminal whose programs have all ended is an error on Linux.
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 65536):
            into += piece


def commands() -> list[str]:
    """Return the commands of the README's section "See it run": `make dev`, then the others."""
    section = README.read_text(encoding="utf-8").partition("## See it run\n")[2]
    blocks = re.findall(
        r"^```sh\n(.*?)^```", section.partition("\n## ")[0], re.DOTALL | re.MULTILINE
    )
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def record(port: str) -> str:
    """Run the session with the edge on this port, and return the picture of it."""
    first, *others = commands()
    shown = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w"))  # noqa: SIM115
    with _data_dir() as data_dir:
        places = {"PAYROUTER_DATA_DIR": data_dir, "PAYROUTER_EDGE__PORT": port}
        environ = {**os.environ, **places, "TERM": "xterm-256color"}
        with terminal(first.split(), environ) as dev:
            _until(dev, _READY)
            sessions = [_run(command, environ) for command in others]
    _print(shown, "terminal 1", [(first, _as_seen(dev.text))])
    _print(shown, "terminal 2", sessions)
    svg = shown.export_svg(title="payrouter", unique_id="session")
    return f"<!-- made by `{COMMAND}` from a real run -->\n{_FONTS.sub('', svg)}\n"


@contextlib.contextmanager
def _data_dir() -> Iterator[str]:
    folder = ROOT / "build" / "session"
    try:
        yield str(folder.relative_to(ROOT))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _until(dev: Terminal, pattern: re.Pattern[str]) -> None:
    def seen() -> bool:
        if dev.process.poll() is not None:
            sys.exit(dev.text)
        return pattern.search(dev.text) is not None

    until(seen, pattern.pattern)


def _run(command: str, environ: dict[str, str]) -> tuple[str, str]:
    with terminal(command.split(), environ) as running:
        running.process.wait(SYSTEM_PATIENCE_SECONDS)
    if running.process.returncode != 0:
        sys.exit(f"{command}: {running.text}")
    time.sleep(_SETTLING_SECONDS)
    return command, running.text


def _as_seen(text: str) -> str:
    """Return what stays on the screen of `dev` until its end: totals once, addresses left out."""
    text = _BOX.sub("\x1b[2m...\x1b[0m\n", text)
    pieces = [piece for line in text.split("\n") for piece in _REDRAW.split(line) if piece]
    totals = [piece for piece in pieces if _TOTALS.match(piece)]
    others = [piece for piece in pieces if not _TOTALS.match(piece)]
    end = next(number for number, piece in enumerate(others) if piece.startswith("stopping"))
    return "\n".join([*others[:end], *totals[-2:]])


def _print(console: Console, title: str, session: Sequence[tuple[str, str]]) -> None:
    console.rule(f"[dim]{title}")
    for command, printed in session:
        console.print(Text("$ ", "bold green").append(command, "bold white"))
        console.print(Text.from_ansi(printed.rstrip("\n")))


if __name__ == "__main__":
    PICTURE.write_text(record((sys.argv[1:] or ["8080"])[0]), encoding="utf-8")
