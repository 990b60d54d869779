"""Ports for the processes that tests start: no two processes of tests choose the same."""

import socket
import subprocess
import sys
from collections.abc import Collection

from tests.parts.ports import BESIDE, free_port
from tests.parts.source import ROOT

_CHOOSE = "from tests.parts.ports import BESIDE, free_port; print(free_port(BESIDE), free_port())"


def test_each_process_of_tests_chooses_ports_of_its_own() -> None:
    ours = {free_port(BESIDE) for _ in range(99)}
    chosen = subprocess.run(
        [sys.executable, "-c", _CHOOSE], cwd=ROOT, capture_output=True, check=True, text=True
    )
    theirs = set(map(int, chosen.stdout.split()))

    assert len(theirs) == 2
    assert _with_beside(ours).isdisjoint(_with_beside(theirs))


def _with_beside(ports: Collection[int]) -> set[int]:
    return {port + distance for port in ports for distance in (0, *BESIDE)}


def test_port_that_is_taken_and_one_beside_it_are_not_chosen() -> None:
    with socket.create_server(("127.0.0.1", free_port(BESIDE))) as taken:
        port = taken.getsockname()[1]

        assert port not in {free_port() for _ in range(99)}
    with socket.create_server(("127.0.0.1", port + BESIDE[0])):
        assert port not in {free_port(BESIDE) for _ in range(99)}
        assert port in {free_port() for _ in range(99)}
