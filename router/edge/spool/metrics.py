"""The metrics of the spool, which only a process with a spool exports."""

from prometheus_client import CollectorRegistry

from router.telemetry.declaring import MetricDeclarations


class SpoolMetrics:
    """Metrics of one spool; a process without a spool has none of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare every metric."""
        declare = MetricDeclarations(registry)
        self.stored = declare.counter(
            "payrouter_spool_stored_records",
            "Records stored in the spool, because the broker did not acknowledge them in time or"
            " was known to be away",
        )
        self.published = declare.counter(
            "payrouter_spool_published_records", "Records published from the spool"
        )
        self.set_aside = declare.counter(
            "payrouter_spool_set_aside_records",
            "Records moved aside because the broker refuses them for good",
        )
        self.damaged = declare.counter(
            "payrouter_spool_damaged_records",
            "Records whose checksum is wrong when they are read again; their file is not removed",
        )
        self.torn = declare.counter(
            "payrouter_spool_torn_bytes",
            "Bytes cut off at a start: writes of an earlier process that were never confirmed",
        )
        self.disk_errors = declare.counter(
            "payrouter_spool_disk_errors", "Writes that the spool's disk refused"
        )
        self.records = declare.gauge(
            "payrouter_spool_waiting_records", "Records in the spool that wait for the broker"
        )
        self.bytes = declare.gauge("payrouter_spool_bytes", "Bytes that the spool's files take")
        self.limit = declare.gauge("payrouter_spool_limit_bytes", "Most bytes of the spool")
        self.oldest = declare.gauge(
            "payrouter_spool_oldest_age_seconds",
            "How long the record that has waited longest is in the spool; 0 without any",
        )
        self.aside = declare.gauge(
            "payrouter_spool_aside_records",
            "Records that are set aside until payrouter spool drain publishes them",
        )
        self.refused = declare.gauge(
            "payrouter_spool_refused_files",
            "Files of the spool that are not read: damaged, foreign, or of another version",
        )
        self.foreign = declare.gauge(
            "payrouter_spool_other_cluster",
            "1 if the spool is not published: its records are for another Kafka cluster",
        )
