"""How the gauges of several workers become one: a rule for each, none is guessed."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class GaugeRule(StrEnum):
    """How the values of one series, of the parent and of its workers, become one."""

    SUM = "sum"
    HIGHEST = "highest"
    LOWEST = "lowest"
    PARENT = "parent"
    """That of the parent, which alone measures it."""
    NEWEST = "newest"
    """That of the worker with the highest value of `NEWEST_BY` for the same labels."""


NEWEST_BY: Final = "payrouter_last_genuine_delivery_timestamp_seconds"

_R = GaugeRule

GAUGE_RULES: Final[Mapping[str, GaugeRule]] = {
    # Memory that processes share, such as libraries, counts for each of them.
    "process_virtual_memory_bytes": _R.SUM,
    "process_resident_memory_bytes": _R.SUM,
    # The parent's: replacing a worker does not restart the edge.
    "process_start_time_seconds": _R.PARENT,
    # The limit is per process: their quotient is at least that of the worst process.
    "process_open_fds": _R.HIGHEST,
    "process_max_fds": _R.LOWEST,
    "python_info": _R.HIGHEST,
    "payrouter_build_info": _R.HIGHEST,
    # Each worker has its share of a limit, so the sum is what is configured.
    "payrouter_unproved_connections": _R.SUM,
    "payrouter_unproved_connections_limit": _R.SUM,
    "payrouter_unproved_bytes": _R.SUM,
    "payrouter_unproved_bytes_limit": _R.SUM,
    "payrouter_deliveries_in_flight": _R.SUM,
    "payrouter_deliveries_in_flight_limit": _R.SUM,
    # The parent reads the configuration, and counts it as refused if one worker refuses it.
    "payrouter_configuration_last_reload_successful": _R.PARENT,
    "payrouter_configuration_last_reload_success_timestamp_seconds": _R.PARENT,
    "payrouter_configuration_keys_awaiting_restart": _R.PARENT,
    "payrouter_tls_certificate_expiry_timestamp_seconds": _R.LOWEST,
    "payrouter_last_genuine_delivery_timestamp_seconds": _R.HIGHEST,
    "payrouter_gateway_clock_skew_seconds": _R.NEWEST,
    # The parent's is 0 while a worker does not run.
    "payrouter_edge_ready": _R.LOWEST,
    "payrouter_last_publish_timestamp_seconds": _R.HIGHEST,
    # All workers look at the same topics; one that sees a danger does not publish.
    "payrouter_topic_endangered": _R.HIGHEST,
    "payrouter_topics_unchecked": _R.HIGHEST,
    "payrouter_edge_workers": _R.PARENT,
    # Each worker has its own spool, with its share of the limit.
    "payrouter_spool_waiting_records": _R.SUM,
    "payrouter_spool_bytes": _R.SUM,
    "payrouter_spool_limit_bytes": _R.SUM,
    "payrouter_spool_oldest_age_seconds": _R.HIGHEST,
    # Every worker counts the files of all.
    "payrouter_spool_aside_records": _R.HIGHEST,
    "payrouter_spool_refused_files": _R.SUM,
    "payrouter_spool_other_cluster": _R.HIGHEST,
}
