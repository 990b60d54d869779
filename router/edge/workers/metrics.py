"""Metrics of the parent about its workers."""

from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry

from router.edge.workers.slot_state import SlotState
from router.telemetry.declaring import MetricDeclarations

ENDS: Final = ("exited", "killed")


class WorkerMetrics:
    """Counts workers, their ends, and the questions that they did not answer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the metrics and create every series."""
        declare = MetricDeclarations(registry)
        self._workers = declare.gauge(
            "payrouter_edge_workers",
            "Worker processes of the edge by state, exported only if there are several. running:"
            " takes deliveries; backing_off: it ended by itself and is replaced after a pause",
            "state",
        )
        for state in SlotState:
            self._workers.labels(state.value)
        self._ends = declare.counter(
            "payrouter_edge_worker_ends",
            "Worker processes that ended although the edge was not stopped, and were replaced."
            " exited: by themselves, even with an error; killed: by a signal",
            "how",
        )
        for how in ENDS:
            self._ends.labels(how)
        self._unanswered = declare.counter(
            "payrouter_edge_worker_scrapes_unanswered",
            "Scrapes that a running worker did not answer in time: its values in them are those of"
            " the scrape before",
        )

    def measure(self, count: Callable[[SlotState], int]) -> None:
        """Export the number of workers in each state."""
        for state in SlotState:
            self._workers.labels(state.value).set_function(partial(count, state))

    def ended(self, status: int) -> None:
        """Count a process that ended; a negative status is that of a signal."""
        self._ends.labels("killed" if status < 0 else "exited").inc()

    def unanswered(self) -> None:
        """Count a scrape that a worker did not answer."""
        self._unanswered.inc()
