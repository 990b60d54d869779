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


def listening(
    mechanism: str, address: str, protocol: str = "SASL_PLAINTEXT", *, controls: bool = True
) -> dict[str, str]:
    """Return the properties of a node where users sign in at an address.

    On its own address, everyone may do everything. It is a controller if it `controls`.
    """
    host = "localhost" if protocol == "SASL_SSL" else "127.0.0.1"
    port = address.rpartition(":")[2]
    plain, names = "PLAINTEXT://127.0.0.1:{port}", ("CONTROLLER", "PLAINTEXT", protocol)
    listeners = f"{plain},{protocol}://127.0.0.1:{port}"
    controller = ",CONTROLLER://127.0.0.1:{controller}" if controls else ""
    return {
        "listeners": listeners + controller,
        "advertised.listeners": f"{plain},{protocol}://{host}:{port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(
            f"{name}:{name.replace('CONTROLLER', 'PLAINTEXT')}" for name in names
        ),
        "sasl.enabled.mechanisms": mechanism,
    }


def set_scram(bootstrap: str, mechanism: str, passwords: Mapping[str, str]) -> None:
    """Set the passwords of users by name, at the address where everyone may do everything."""
    kind = admin.ScramMechanism[mechanism.replace("-", "_")]  # type: ignore[attr-defined]
    credential = admin.ScramCredentialInfo(kind, 4096)  # type: ignore[attr-defined]
    changes: list[Any] = [
        admin.UserScramCredentialUpsertion(name, credential, password.encode())  # type: ignore[attr-defined]
        for name, password in passwords.items()
    ]
    client = admin.AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    for done in client.alter_user_scram_credentials(changes).values():
        done.result(30)


class Guarded:
    """A broker with a listener where `edge` signs in with a password."""

    def __init__(self, mechanism: str, properties: dict[str, str] | None = None) -> None:
        """Choose ports; start it with `start`. `properties` are added to the node's own."""
        self.mechanism = mechanism
        self.bootstrap = f"127.0.0.1:{free_port()}"
        self.node = ApacheKafka({**listening(mechanism, self.bootstrap), **(properties or {})})

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
            set_scram(self.node.bootstrap, self.mechanism, {USER: password, **(others or {})})

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
