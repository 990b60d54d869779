"""An Apache Kafka that denies everything that no access control list allows."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from confluent_kafka import admin

from router.broker.rights import Right
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.kafka.guarded import AUTHORIZED, USER, Guarded

MECHANISM: Final = "SCRAM-SHA-512"
SECONDS: Final = 30.0


class StrictKafka:
    """A broker where users sign in by SCRAM and may do what is granted, and nothing else."""

    def __init__(self) -> None:
        """Choose ports; start it with `start`."""
        strict = {key: AUTHORIZED[key] for key in ("authorizer.class.name", "super.users")}
        self._guarded = Guarded(MECHANISM, strict)
        self._lists: Any = None

    @property
    def bootstrap(self) -> str:
        """The address where users sign in."""
        return self._guarded.bootstrap

    @property
    def node(self) -> ApacheKafka:
        """The broker's process; on its own address, everyone may do everything."""
        return self._guarded.node

    def start(self, passwords: Mapping[str, str]) -> None:
        """Start it with these users."""
        self._guarded.start(passwords[USER], passwords)
        self._lists = AccessLists(self.node.bootstrap)

    def grant(self, rights: Iterable[Right]) -> None:
        """Allow these operations."""
        self._lists.grant(rights)

    def take(self, right: Right) -> None:
        """Remove the list that allows one operation."""
        self._lists.take(right)


class AccessLists:
    """The access control lists of a cluster, where everyone may change them."""

    def __init__(self, bootstrap: str) -> None:
        """Connect to a running cluster."""
        self._admin: Any = admin.AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})

    def grant(self, rights: Iterable[Right]) -> None:
        """Allow these operations."""
        bindings = {str(_terms(each)): admin.AclBinding(*_terms(each)) for each in rights}  # type: ignore[attr-defined]
        for answer in self._admin.create_acls(list(bindings.values())).values():
            answer.result(SECONDS)

    def take(self, right: Right) -> None:
        """Remove the list that allows one operation."""
        found = admin.AclBindingFilter(*_terms(right))  # type: ignore[attr-defined]
        (answer,) = self._admin.delete_acls([found]).values()
        assert len(answer.result(SECONDS)) == 1


def _terms(right: Right) -> tuple[Any, ...]:
    kind = right.resource.kind.name
    return (
        admin.ResourceType[kind],  # type: ignore[attr-defined]
        right.resource.name,
        admin.ResourcePatternType.LITERAL,  # type: ignore[attr-defined]
        right.principal,
        "*",
        admin.AclOperation[right.operation.name],  # type: ignore[attr-defined]
        admin.AclPermissionType.ALLOW,  # type: ignore[attr-defined]
    )
