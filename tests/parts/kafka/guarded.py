"""An Apache Kafka where a user signs in with a password, and may be denied rights."""

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import admin

from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.ports import free_port

USER: Final = "edge"

AUTHORIZED: Final = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "true",
}
"""Properties of a node that obeys access control lists; who does not sign in may do everything."""

_JAAS = "listener.name.sasl_plaintext.{}.sasl.jaas.config"
_LOGIN = "org.apache.kafka.common.security.{}.{}LoginModule required"


class Guarded:
    """A broker with a listener where `edge` signs in with a password."""

    def __init__(self, mechanism: str, properties: dict[str, str] | None = None) -> None:
        """Choose ports; start it with `start`. `properties` are added to the node's own."""
        self.mechanism = mechanism
        self.bootstrap = f"127.0.0.1:{free_port()}"
        both = f"PLAINTEXT://127.0.0.1:{{port}},SASL_PLAINTEXT://{self.bootstrap}"
        names = ("CONTROLLER", "PLAINTEXT", "SASL_PLAINTEXT")
        self.node = ApacheKafka(
            {
                "listeners": f"{both},CONTROLLER://127.0.0.1:{{controller}}",
                "advertised.listeners": both,
                "inter.broker.listener.name": "PLAINTEXT",
                "listener.security.protocol.map": ",".join(
                    f"{name}:{name.replace('CONTROLLER', 'PLAINTEXT')}" for name in names
                ),
                "sasl.enabled.mechanisms": mechanism,
                **(properties or {}),
            }
        )

    def start(self, password: str, others: Mapping[str, str] | None = None) -> None:
        """Start it with this password, or again with another.

        `others` are the passwords of more users, by name; not with the mechanism PLAIN.
        """
        self.node.stop()
        login = _LOGIN.format("scram", "Scram") + ";"
        if self.mechanism == "PLAIN":
            login = _LOGIN.format("plain", "Plain") + f' user_edge="{password}";'
        self.node.properties[_JAAS.format(self.mechanism.lower())] = login
        self.node.start()
        if self.mechanism != "PLAIN":
            self._set_scram({USER: password, **(others or {})})

    def _set_scram(self, passwords: Mapping[str, str]) -> None:
        kind = admin.ScramMechanism[self.mechanism.replace("-", "_")]  # type: ignore[attr-defined]
        credential = admin.ScramCredentialInfo(kind, 4096)  # type: ignore[attr-defined]
        changes: list[Any] = [
            admin.UserScramCredentialUpsertion(name, credential, password.encode())  # type: ignore[attr-defined]
            for name, password in passwords.items()
        ]
        client = admin.AdminClient({"bootstrap.servers": self.node.bootstrap})
        for done in client.alter_user_scram_credentials(changes).values():
            done.result(30)

    def deny_write(self, topic: str) -> None:
        """Take the right to write to a topic from the user, and no other."""
        # The first list of a topic takes all rights to it from everyone it does not name.
        bindings = [_binding(topic, "ALL", "ALLOW"), _binding(topic, "WRITE", "DENY")]
        client = admin.AdminClient({"bootstrap.servers": self.node.bootstrap})
        for done in client.create_acls(bindings).values():
            done.result(30)

    def allow_write(self, topic: str) -> None:
        """Give it back."""
        client = admin.AdminClient({"bootstrap.servers": self.node.bootstrap})
        for done in client.delete_acls([_binding(topic, "WRITE", "DENY", filters=True)]).values():
            done.result(30)


def _binding(topic: str, operation: str, permission: str, *, filters: bool = False) -> Any:  # noqa: ANN401 - confluent_kafka types it not
    kind = admin.AclBindingFilter if filters else admin.AclBinding  # type: ignore[attr-defined]
    return kind(
        admin.ResourceType.TOPIC,  # type: ignore[attr-defined]
        topic,
        admin.ResourcePatternType.LITERAL,  # type: ignore[attr-defined]
        f"User:{USER}",
        "*",
        admin.AclOperation[operation],  # type: ignore[attr-defined]
        admin.AclPermissionType[permission],  # type: ignore[attr-defined]
    )
