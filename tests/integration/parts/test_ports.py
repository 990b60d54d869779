"""Ports for the processes that tests start: no two processes of tests choose the same."""

import socket
import subprocess
import sys
from collections.abc import Collection

from tests.parts.ports import DEV_DISTANCES, free_port
from tests.parts.source import ROOT

_CHOOSE = (
    "from tests.parts.ports import DEV_DISTANCES as other, free_port;"
    "print(free_port(other), free_port())"
)


def test_each_process_of_tests_chooses_from_separate_ports() -> None:
    ours = {free_port(DEV_DISTANCES) for _ in range(99)}
    chosen = subprocess.run(
        [sys.executable, "-c", _CHOOSE], cwd=ROOT, capture_output=True, check=True, text=True
    )
    theirs = set(map(int, chosen.stdout.split()))

    assert len(theirs) == 2
    assert _with_others(ours).isdisjoint(_with_others(theirs))


def _with_others(ports: Collection[int]) -> set[int]:
    return {port + distance for port in ports for distance in (0, *DEV_DISTANCES)}


def test_port_is_not_chosen_while_it_or_another_of_its_program_is_taken() -> None:
    with socket.create_server(("127.0.0.1", free_port(DEV_DISTANCES))) as taken:
        port = taken.getsockname()[1]

        assert port not in {free_port() for _ in range(99)}
    with socket.create_server(("127.0.0.1", port + DEV_DISTANCES[0])):
        assert port not in {free_port(DEV_DISTANCES) for _ in range(99)}
        assert port in {free_port() for _ in range(99)}
