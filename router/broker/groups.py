"""Who is in a consumer group, and which partitions each member has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code

_UUID_CHARACTERS = 36
_SHORT = 4


@dataclass(frozen=True)
class GroupSeen:
    """A group: how many members it has, and the name of the one that has each partition."""

    members: int
    owners: Mapping[TopicPartition, str] = field(default_factory=dict)


async def describe_group(admin: AIOKafkaAdminClient, group_id: str) -> GroupSeen:
    """Ask the group's coordinator.

    Raises KafkaError; IncompatibleBrokerVersion or NotImplementedError where the
    broker cannot describe groups, as the one for evaluation cannot.
    """
    # One group a request: aiokafka cannot read an answer about several.
    (answer,) = await admin.describe_consumer_groups([group_id])
    ((code, _, _, _, _, members, *_),) = answer.groups
    if code:
        raise for_code(code)
    owners = {
        partition: name_of(member_id, client_id, host)
        for member_id, client_id, host, _, assignment, *_ in members
        for partition in _assigned(assignment)
    }
    return GroupSeen(len(members), owners)


def name_of(member_id: str, client_id: str, host: str) -> str:
    """Return what a person knows a member by.

    The broker makes a member id of a name and a UUID: the name is the instance
    id of a static member; of any other it is the client id, which all of them
    share, so that host and the beginning of the UUID tell more.
    """
    named, unique = member_id[: -_UUID_CHARACTERS - 1], member_id[-_UUID_CHARACTERS:]
    if named and named != client_id:
        return named
    return f"{host.removeprefix('/')} {unique[:_SHORT]}"


def _assigned(assignment: bytes) -> Sequence[TopicPartition]:
    if not assignment:
        return ()
    read = ConsumerProtocolMemberAssignment.decode(assignment)
    return [
        TopicPartition(topic, number) for topic, numbers in read.assignment for number in numbers
    ]
