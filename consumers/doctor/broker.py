"""Judges what the broker reports: cluster, topics, groups, rights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from consumers.doctor.stores import judge_clock
from router.broker.rights import (
    NOTHING_GRANTED,
    Resource,
    ResourceKind,
    Right,
    alike,
    grant,
    lacking,
    lacks,
)
from router.broker.topics.apply import TopicResult, TopicsReport, moves_keys
from router.broker.topics.contract import Difference

_UNCHECKED = "docs/runbooks/PayrouterTopicsUnchecked.md"


@dataclass(frozen=True)
class BrokerFound:
    """What the broker reported.

    `groups` has by consumer why its group cannot be described, None if it can; it is empty if the
    broker does not support that. `granted` has our authorized operations by topic and group, as
    far as the broker reports them.
    """

    cluster_id: str
    brokers: int
    topics: TopicsReport
    groups: Mapping[str, str | None] = field(default_factory=dict)
    granted: Mapping[Resource, int] = field(default_factory=dict)
    ahead_seconds: float | None = None
    """How far the active controller's clock is ahead of this machine's; None if it is unknown."""


@dataclass(frozen=True)
class BrokerNeeds:
    """What the configuration expects of the broker."""

    cluster_id: str | None
    replication_factor: int
    min_insync_replicas: int
    groups: Mapping[str, str]
    """Group id by consumer."""
    rights: Mapping[str, Sequence[Right]] = field(default_factory=dict)
    """Rights by process, all of them of the user in this configuration."""
    connection: str = ""
    """How we are connected: protocol and user."""


def judge_broker(found: BrokerFound, needs: BrokerNeeds) -> Iterator[CheckResult]:
    """Yield the results about a broker that answered."""
    yield _number(found.brokers, needs)
    if needs.connection:
        yield _about("connection").ok(needs.connection)
    yield _clock(found.ahead_seconds)
    yield _cluster(found.cluster_id, needs.cluster_id)
    yield from _topics(found.topics)
    absent = {each.name for each in found.topics.topics if each.result is TopicResult.MISSING}
    for process, rights in needs.rights.items():
        known = [each for each in rights if each.resource.name not in absent]
        yield from _rights(process, known, found.granted)
    for consumer, group_id in needs.groups.items():
        # One that is hidden from us is named with the right that is missing.
        if found.granted.get(Resource(ResourceKind.GROUP, group_id)) != NOTHING_GRANTED:
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


def _clock(ahead: float | None) -> CheckResult:
    thing = _about("controller")
    if ahead is not None:
        return judge_clock(thing, ahead)
    return thing.ok(
        "its clock is not known: Kafka 3.3 reports it to users with DESCRIBE on the cluster"
    )


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


def _rights(
    process: str, rights: Sequence[Right], granted: Mapping[Resource, int]
) -> Iterator[CheckResult]:
    thing = _about(f"rights of {process}")
    missing = alike(lacking(rights, granted))
    for own in missing:
        needed = any(each.required for each in own)
        judged = thing.fail if needed else thing.warn
        without = "" if needed else f", which it needs for: {own[0].why}"
        yield judged(lacks(own) + without, f"grant: {grant(own)}")
    resources = dict.fromkeys(each.resource for each in rights)
    asked = [each for each in resources if each.kind is not _NEVER_REPORTED]
    unknown = sorted(str(each) for each in asked if each not in granted)
    if unknown:
        yield thing.warn(
            f"the broker does not report them for {', '.join(unknown)}",
            "create what is missing; else look at /readyz of the process once it runs",
        )
    elif not missing:
        yield thing.ok(f"has them on {len(asked)} topics and groups")


_NEVER_REPORTED = ResourceKind.TRANSACTIONAL_ID
"""Brokers report no operations of it; the one right on it is optional."""


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
