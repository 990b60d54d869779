"""`payrouter dev` recovers from interrupts, kills and lost children, and leaves no process."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.dev_process import Dev, Place, alive, place_in, postgres, started
from tests.parts.waiting import until

# The broker waits this long for a killed group member.
QUICK_EVICTION = {
    "PAYROUTER_CONSUMERS__LEDGER__SESSION_TIMEOUT_SECONDS": "6",
    "PAYROUTER_CONSUMERS__LEDGER__TRANSACTION_TIMEOUT_SECONDS": "3",
}

RESTARTING = "ended with status -9; restarting"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield an empty folder."""
    with place_in(tmp_path) as place:
        yield place


def payment(place: Place, order: str) -> None:
    """Send a confirmed payment of 100.50 USDT."""
    said = place.quick("send", "blockatm", "--order", order)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("moment", ["broker ", "database ", "edge_started"])
def test_an_interrupt_during_startup_stops_every_started_process(place: Place, moment: str) -> None:
    with started(place) as dev:
        dev.until_says(moment)
        tree = dev.tree()
        assert dev.stop() == 0
        assert alive([*tree, *postgres(place.data_dir)]) == []
        assert "ready" not in dev.out
        assert "stopped while starting" in dev.err
        assert "Traceback" not in dev.err
    assert not (place.data_dir / "running.json").exists()


def test_a_terminal_interrupt_also_stops_a_starting_process(place: Place) -> None:
    with started(place) as dev:
        dev.until_says("broker ")
        tree = dev.tree()
        os.killpg(dev.process.pid, signal.SIGINT)
        assert dev.process.wait(60) == 0
        assert alive([*tree, *postgres(place.data_dir)]) == []
        assert "Traceback" not in dev.err
    with started(place) as dev:
        dev.until_ready()
        assert dev.stop() == 0


def test_after_a_kill_the_children_exit_and_the_next_dev_continues(
    place: Place,
) -> None:
    with started(place) as dev:
        dev.until_ready()
        payment(place, "A-1")
        before = place.books(transactions=1)
        children = [
            dev.child("edge"),
            dev.child("consume"),
            dev.child("router.evaluation.embedded"),
        ]
        assert None not in children
        dev.process.kill()
        dev.process.wait()
        until(lambda: not alive(children), "the children's end")
        # The database of the killed process still runs: it is reused, not started twice.
        server = postgres(place.data_dir)[:1]
        with started(place, port=dev.port) as second:
            second.until_ready()
            assert postgres(place.data_dir)[:1] == server
            assert place.json("ledger", "balance") == before
            payment(place, "A-2")
            assert place.books(transactions=2)["balanced"]
            tree = second.tree()
            assert second.stop() == 0
            assert alive([*tree, *server]) == []


def test_a_killed_child_is_restarted_and_the_books_continue(tmp_path: Path) -> None:
    with place_in(tmp_path, QUICK_EVICTION) as place, started(place) as dev:
        dev.until_ready()
        payment(place, "A-1")
        place.books(transactions=1)
        for transactions, name in enumerate(("consume", "edge"), start=2):
            order = f"A-{transactions}"
            kill_child(dev, name)
            with contextlib.suppress(AssertionError):
                payment(place, order)
            until_restarted(dev, name, order)
            books = place.books(transactions)
            assert books["balanced"]
            assert books["transactions"] == transactions
        assert dev.stop() == 0


def kill_child(dev: Dev, name: str) -> None:
    """Kill a child and wait until its end is reported."""
    victim, reports = dev.child(name), dev.err.count(RESTARTING)
    assert victim is not None
    victim.kill()
    until(lambda: dev.err.count(RESTARTING) > reports, RESTARTING)


def until_restarted(dev: Dev, name: str, order: str) -> None:
    """Wait until the child runs again and a payment is accepted."""
    until(lambda: dev.child(name), f"a new {name}")
    send = ("send", "blockatm", "--order", order)
    until(lambda: dev.place.quick(*send).returncode == 0, "an edge")
