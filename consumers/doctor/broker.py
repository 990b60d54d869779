"""Judges what the broker reports: cluster, topics, groups, the rights to write."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from router.broker.topics.apply import TopicsReport, moves_keys
from router.broker.topics.contract import Difference

_RIGHTS = "docs/security.md"
_UNCHECKED = "docs/runbooks/PayrouterTopicsUnchecked.md"


@dataclass(frozen=True)
class BrokerFound:
    """What the broker reported.

    `groups` has by consumer why its group cannot be described, None if it can; it is empty if the
    broker does not support that. `may_write` has
    by topic of the edge whether we may write to it, None if the broker does not report it;
    a missing topic is not in it.
    """

    cluster_id: str
    brokers: int
    topics: TopicsReport
    groups: Mapping[str, str | None] = field(default_factory=dict)
    may_write: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class BrokerNeeds:
    """What the configuration expects of the broker."""

    cluster_id: str | None
    replication_factor: int
    min_insync_replicas: int
    groups: Mapping[str, str]
    """Group id by consumer."""
    written: Collection[str]
    """Topics that the edge writes; none if the configuration is not an edge's."""


def judge_broker(found: BrokerFound, needs: BrokerNeeds) -> Iterator[CheckResult]:
    """Yield the results about a broker that answered."""
    yield _number(found.brokers, needs)
    yield _cluster(found.cluster_id, needs.cluster_id)
    yield from _topics(found.topics)
    yield from _rights(found.may_write)
    for consumer, group_id in needs.groups.items():
        yield _group(consumer, group_id, found.groups)


def broker_away(problem: str) -> CheckResult:
    """Return the result about a broker that did not answer."""
    return _about("broker").fail(problem, "then run this again: nothing else of it was checked")


def _number(brokers: int, needs: BrokerNeeds) -> CheckResult:
    thing, number = _about("broker"), f"{brokers} broker{'s' if brokers != 1 else ''}"
    if brokers < needs.min_insync_replicas:
        return thing.fail(
            f"reachable, {number}, topics.min_insync_replicas is {needs.min_insync_replicas}",
            "start the other brokers: no event can be written",
        )
    if brokers < needs.replication_factor:
        return thing.warn(
            f"reachable, {number}, topics.replication_factor is {needs.replication_factor}",
            "start the other brokers: no topic can be created, and the loss of one more stops us",
        )
    return thing.ok(f"reachable, {number}")


def _cluster(cluster_id: str, configured: str | None) -> CheckResult:
    thing = _about("cluster id")
    if configured in {None, cluster_id}:
        return thing.ok(cluster_id)
    return thing.warn(
        f"{cluster_id}, fences use kafka.cluster_id {configured}",
        "right only if this cluster has the same records at the same offsets; else remove the key",
    )


def _topics(report: TopicsReport) -> Iterator[CheckResult]:
    thing, every = _about("topics"), report.topics
    good = sum(not (topic.left or topic.unchecked) for topic in every)
    if good:
        yield thing.ok(f"{good} of {len(every)} are there as needed")
    for each in report.left:
        judged = thing.fail if each.endangers else thing.warn
        yield judged(each.problem, _remedy(each))
    for reason in dict.fromkeys(topic.unchecked for topic in every if topic.unchecked):
        names = [topic.name for topic in every if topic.unchecked == reason]
        yield thing.warn(
            f"{reason} (topics {', '.join(names)})",
            f"grant DESCRIBE and DESCRIBE_CONFIGS: {_UNCHECKED}",
        )


def _remedy(difference: Difference) -> str:
    if not moves_keys(difference):
        return difference.action
    return f"{difference.action}, which moves keys to other partitions"


def _rights(may_write: Mapping[str, bool | None]) -> Iterator[CheckResult]:
    thing = _about("WRITE right")
    for topic in sorted(name for name, granted in may_write.items() if granted is False):
        yield thing.fail(
            f"the edge has no right to write to the topic {topic}",
            f"grant WRITE on it to the edge's user ({_RIGHTS})",
        )
    unknown = sorted(name for name, granted in may_write.items() if granted is None)
    if unknown:
        yield thing.warn(
            f"the broker does not report it for {', '.join(unknown)}",
            "look at the edge's /readyz once it runs",
        )
    elif may_write and all(may_write.values()):
        yield thing.ok(f"the edge may write to its {len(may_write)} topics")


def _group(consumer: str, group_id: str, problems: Mapping[str, str | None]) -> CheckResult:
    thing = _about(f"group of {consumer}")
    if consumer not in problems:
        return thing.warn(
            f"this broker cannot describe {group_id}",
            "look at the consumer's /readyz once it runs",
        )
    problem = problems[consumer]
    if problem is None:
        return thing.ok(group_id)
    return thing.fail(f"{group_id} cannot be described: {problem}", "then run this again")


def judge_remembered(
    cluster_id: str, remembered: Mapping[str, Sequence[str]]
) -> Iterator[CheckResult]:
    """Yield a result per consumer that has fences of other clusters only."""
    for consumer, clusters in remembered.items():
        if clusters and cluster_id not in clusters:
            yield _about(f"cluster of {consumer}").warn(
                f"{consumer} has applied records of {', '.join(clusters)}, none of {cluster_id}",
                "correct kafka.bootstrap_servers if this is another system's broker; set"
                " kafka.cluster_id to the old one if the same log was moved; after a take-over run"
                f" `payrouter offsets reset {consumer} --topic TOPIC --to earliest`",
            )


def _about(what: str) -> CheckedThing:
    return CheckedThing(CheckedArea.BROKER, what)
