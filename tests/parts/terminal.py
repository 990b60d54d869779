"""Standard output that is a terminal of a given width."""

import io
import re
import sys

import pytest


class Terminal(io.StringIO):
    """Collects what is printed, and claims to be a terminal."""

    def isatty(self) -> bool:
        """Claim to be a terminal."""
        return True

    @property
    def plain(self) -> str:
        """What was printed, without styles."""
        return re.sub("\x1b\\[[0-9;]*m", "", self.getvalue())


def terminal_of(monkeypatch: pytest.MonkeyPatch, width: int = 80) -> Terminal:
    """Make standard output a terminal of a given width."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal)
    return terminal
