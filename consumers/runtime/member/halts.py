"""Halts: why a partition stops until an operator acts, and the command that resumes it."""

from consumers.runtime.apply.failures import HaltReason
from consumers.runtime.records import Partition


class Halt(Exception):  # noqa: N818 - reads as what is done
    """A partition stops until an operator acts; nothing is skipped."""

    def __init__(
        self, partition: Partition, reason: HaltReason, detail: str, resume_at: int | None = None
    ) -> None:
        """Store partition and reason; resuming at offset `resume_at` accepts the loss."""
        super().__init__(f"{partition} halted: {detail}")
        self.partition = partition
        self.reason = reason
        self.detail = detail
        self.resume_at = resume_at


def records_missing(partition: Partition, missing: range, resume_at: int) -> Halt:
    """Return the halt of a partition whose log lacks records that should be there.

    `missing` are the first offsets without an explanation; `resume_at` is the
    offset of the first record after them.
    """
    last = missing[-1]
    detail = (
        f"the log has no records at the offsets {missing[0]} to {last} ({len(missing)} of them),"
        " and no transaction explains that: were they compacted away?"
    )
    return Halt(partition, HaltReason.RECORDS_MISSING, detail, resume_at)


def other_cluster(partition: Partition) -> Halt:
    """Return the halt of a partition whose topic was read from another cluster so far."""
    detail = (
        "the topic was read from another Kafka cluster so far, and offsets of one cluster mean"
        " nothing in another"
    )
    return Halt(partition, HaltReason.OTHER_CLUSTER, detail)


_NOT_BY_A_FENCE = {
    HaltReason.TOO_NEW: "Upgrade payrouter",
    HaltReason.NO_CODEC: "Install what is missing",
}
"""Halts that a fence cannot resolve; the consumer has to be restarted afterwards."""


def remedy(halt: Halt, consumer: str) -> str:
    """Return the command that resolves a halt of this consumer, as a sentence."""
    if halt.reason in _NOT_BY_A_FENCE:
        first = _NOT_BY_A_FENCE[halt.reason]
        return f"{first}, then start `payrouter consume {consumer}` again."
    topic, number = halt.partition
    reset = f"payrouter offsets reset {consumer} --topic {topic} --partition {number} --to"
    if halt.reason is HaltReason.RECORDS_MISSING:
        return (
            "Find out what deleted them, and have the gateways send their events again;"
            f" `{reset} {halt.resume_at}` accepts that they are missing and continues after them."
        )
    if halt.reason is HaltReason.OTHER_CLUSTER:
        return (
            "Correct kafka.bootstrap_servers if this is not the cluster that took over; if it is,"
            f" `payrouter offsets reset {consumer} --topic {topic} --to earliest` reads its log"
            " from the start; events that were already applied have no second effect."
        )
    if halt.reason is HaltReason.BEFORE_START:
        return (
            f"`{reset} earliest` continues with the records that are left; compare with the"
            " gateways' lists what the others were, and have the gateways send them again."
        )
    return (
        f"`payrouter offsets show {consumer}` has the details; `{reset} earliest` reads the log"
        " from its start; events that were already applied have no second effect."
    )
