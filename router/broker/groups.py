"""Describes consumer groups: the number of members, and the member of each partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code

_UUID_CHARACTERS = 36
_SHORT = 4


@dataclass(frozen=True)
class GroupDescription:
    """Number of members of a group, and the name of the member that owns each partition."""

    members: int
    owners: Mapping[TopicPartition, str] = field(default_factory=dict)


async def describe_group(admin: AIOKafkaAdminClient, group_id: str) -> GroupDescription:
    """Ask the group's coordinator.

    Raises KafkaError; IncompatibleBrokerVersion or NotImplementedError if the broker
    cannot describe groups, such as the evaluation broker.
    """
    # One group per request: aiokafka cannot decode an answer about several.
    (answer,) = await admin.describe_consumer_groups([group_id])
    ((code, _, _, _, _, members, *_),) = answer.groups
    if code:
        raise for_code(code)
    owners = {
        partition: name_of(member_id, client_id, host)
        for member_id, client_id, host, _, assignment, *_ in members
        for partition in _assigned(assignment)
    }
    return GroupDescription(len(members), owners)


def name_of(member_id: str, client_id: str, host: str) -> str:
    """Return a member's name for people.

    The broker builds a member id from a name and a UUID. For a static member the name
    is its instance id. For any other member it is the client id, which all of them
    share, so the result is the host and the beginning of the UUID instead.
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
