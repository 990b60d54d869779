"""A deployment with least rights works, and names each right on Kafka that is taken away."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from secrets import token_hex

import pytest

from router.broker.rights import KafkaOperation, ResourceKind, Right, denied
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.dev_process import Place, Said
from tests.parts.rights.broker import StrictKafka
from tests.parts.rights.deployment import SECOND_EDGE, USERS, Deployment, deployed
from tests.parts.waiting import until

pytestmark = pytest.mark.kafka

CHOSEN = {
    ("edge", KafkaOperation.WRITE, "shop.payment"),
    ("ledger", KafkaOperation.READ, "payrouter.ledger"),
    ("notifications", KafkaOperation.READ, "shop.order"),
    ("inventory", KafkaOperation.DESCRIBE_CONFIGS, "shop.inventory.outcome"),
    ("exporter", KafkaOperation.DESCRIBE, "payrouter.ledger"),
}
"""One of each kind, and of each process: to read and to write, of a group, and an optional one."""

INCLUDED_IN = {
    KafkaOperation.DESCRIBE: KafkaOperation.ALTER,
    KafkaOperation.DESCRIBE_CONFIGS: KafkaOperation.ALTER_CONFIGS,
}
"""Kafka lets who may do the one also do the other."""

PROCESSES = ("edge", "ledger", "inventory", "notifications", "exporter")
"""They name it by themselves; the users of commands have no process."""


@pytest.fixture(scope="module")
def deployment(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    passwords = {name: f"hidden-{token_hex(16)}" for name in USERS}
    kafka, place = StrictKafka(), Place(tmp_path_factory.mktemp("rights"))
    with fresh_database(database_server) as url:
        try:
            kafka.start(passwords)
            with deployed(place, kafka, url, passwords) as made:
                yield made
        finally:
            kafka.node.destroy()


def test_a_deployment_with_the_rights_of_the_table_works(deployment: Deployment) -> None:
    for number, edge in ((1, "edge"), (2, SECOND_EDGE)):
        sent = deployment.command(edge, "send", "blockatm", "--order", f"A-{number}")
        assert sent.returncode == 0, sent.stderr

    def booked() -> bool:
        said = deployment.command("operator", "ledger", "balance", "--json")
        return bool(json.loads(said.stdout)["transactions"] == 2)

    until(booked, "both payments in the books")
    traced = deployment.command("operator", "trace", "A-2", "--json")
    assert traced.returncode == 0, traced.stdout + traced.stderr
    said = deployment.command(
        "edge", "doctor", "--process", "edge", "--only", "endpoints", "--json"
    )
    clocks = {each["check"]: each["found"] for each in json.loads(said.stdout)}
    assert "signed within 60 s of its arrival" in [
        found for check, found in clocks.items() if check.startswith("clock: gateway of blockatm")
    ]
    for name in PROCESSES:
        good, detail = deployment.ready(name)
        assert (good, "may not" in detail) == (True, False), detail
        assert deployment.doctor(name) == []


def rounds(deployment: Deployment, *, every: bool) -> Sequence[Mapping[str, Right]]:
    """Return the rights to take away: in each round, one of each process."""
    taken = [
        [
            (name, right)
            for right in own
            if (name, right.operation, right.resource.name) in CHOSEN
            or (every and _has_effect(right, own))
        ]
        for name, own in deployment.rights().items()
    ]
    return [dict(filter(None, each)) for each in zip_longest(*taken)]


def _has_effect(right: Right, others: Sequence[Right]) -> bool:
    """Return whether its absence changes what a process may do, and the broker reports that."""
    if right.resource.kind is ResourceKind.TRANSACTIONAL_ID:
        return False
    beside = {each.operation for each in others if each.resource == right.resource}
    return INCLUDED_IN.get(right.operation) not in beside


def test_each_right_that_is_taken_away_is_named(
    deployment: Deployment,
    chaos_long: bool,  # noqa: FBT001 - a fixture
) -> None:
    taken = rounds(deployment, every=chaos_long)
    assert sum(map(len, taken)) >= len(CHOSEN)
    for each in taken:
        for right in each.values():
            deployment.kafka.take(right)
        try:
            for name, right in each.items():
                _named(deployment, name, right)
        finally:
            deployment.kafka.grant(each.values())
        for name in PROCESSES:
            until(partial(_whole, deployment, name), f"{name} with all its rights")


def _whole(deployment: Deployment, name: str) -> bool:
    good, detail = deployment.ready(name)
    return good and "may not" not in detail


def _named(deployment: Deployment, name: str, right: Right) -> None:
    (sentence,) = denied([right])
    missing, _, _ = sentence.partition("; grant: ")

    def in_doctor() -> bool:
        found = [each["found"] for each in deployment.doctor(name)]
        return any(each.startswith(missing) for each in found)

    if name in PROCESSES:
        until(lambda: sentence in deployment.ready(name)[1], f"{sentence} in {name}'s /readyz")
        assert deployment.ready(name)[0] is not right.required
    until(in_doctor, f"{missing} in doctor --process {name}")


@pytest.mark.parametrize(
    ("user", "command", "operation", "topic"),
    [
        ("operator", "quarantine list", KafkaOperation.READ, "shop.quarantine"),
        (
            "operator",
            "offsets reset ledger --topic shop.payout --to earliest",
            KafkaOperation.READ,
            "shop.payout",
        ),
        ("topics", "topics apply --check", KafkaOperation.DESCRIBE, "shop.payout"),
    ],
    ids=["quarantine list", "offsets reset", "topics apply"],
)
def test_a_command_names_the_right_that_it_lacks(
    deployment: Deployment, user: str, command: str, operation: KafkaOperation, topic: str
) -> None:
    rights = deployment.rights()[user]
    own = {each.operation: each for each in rights if each.resource.name == topic}
    for each in own.values():
        deployment.kafka.take(each)

    def refused() -> Said | None:
        said = deployment.command(user, *command.split())
        return said if said.returncode else None

    try:
        said = until(refused, f"a failure of {command}")
    finally:
        deployment.kafka.grant(own.values())
    (sentence,) = denied([own[operation]])
    assert sentence in said.stderr
