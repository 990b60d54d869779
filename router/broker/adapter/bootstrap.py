"""Starts of aiokafka's clients: the cause of a failure, and an end of all that a start began.

aiokafka logs why it could not connect to an address, and raises only that it could connect to none.
It holds the connection for its first metadata request in a local variable: it closes that on
errors, but not when the start is cancelled by a time-out or a shutdown.
"""

import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import client
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedSaslMechanismError,
)

from router.broker.rights import ResourceKind, Right, denied

_CONNECT: Final = client.create_conn
_BOOTSTRAP: Final = AIOKafkaClient.bootstrap


@dataclass
class _Start:
    """One start of a client: the connections that it opened, and why others could not be."""

    opened: list[tuple[str, Any]] = field(default_factory=list)
    failures: list[tuple[str, BaseException]] = field(default_factory=list)

    def reasons(self, error: BaseException) -> Sequence[tuple[str, BaseException]]:
        """Return why each address failed; `error` for those that could be connected to."""
        return [*self.failures, *((where, error) for where, _ in self.opened)]


_start: ContextVar[_Start | None] = ContextVar("start of a client", default=None)


def watch_starts() -> None:
    """Make every client of this process name its failures, and leave nothing if it is cancelled.

    Call it before the first client starts; a second call changes nothing.
    """
    client.create_conn = _connect
    AIOKafkaClient.bootstrap = _bootstrap


async def _connect(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - aiokafka's
    start, where = _start.get(), f"{host}:{port}"
    # A connection with `on_close` is opened later by the client, which closes it itself.
    if start is None or "on_close" in options:
        return await _CONNECT(host, port, **options)
    try:
        connection = await _CONNECT(host, port, **options)
    except (TimeoutError, OSError, KafkaError) as error:
        start.failures.append((where, error))
        raise
    start.opened.append((where, connection))
    return connection


async def _bootstrap(starting: AIOKafkaClient) -> None:
    start = _Start()
    outer = _start.set(start)
    try:
        await _BOOTSTRAP(starting)
    except BaseException as error:
        for _, connection in start.opened:
            connection.close()
        failures = start.reasons(error) if isinstance(error, KafkaConnectionError) else ()
        if failures:
            raise NoBrokerReached(failures) from error
        raise
    finally:
        _start.reset(outer)


_PROTOCOL = "check kafka.security_protocol and the port in kafka.bootstrap_servers"
_RIGHTS = "`payrouter rights` prints what each process needs (docs/kafka-rights.md)"


class NoBrokerReached(KafkaConnectionError):  # type: ignore[misc] # noqa: N818 - no types there; as named there
    """No address of `kafka.bootstrap_servers` led to a broker."""

    def __init__(self, failures: Sequence[tuple[str, BaseException]]) -> None:
        """Name the first failure; each is an address and an error, and there is at least one."""
        where, why = failures[0]
        others = len(failures) - 1
        more = f" (and {others} more)" if others else ""
        self.cause = f"{where}{more}: {cause_of(why)}"
        super().__init__(self.cause)


_DENIED: Mapping[type[BaseException], ResourceKind] = {
    TopicAuthorizationFailedError: ResourceKind.TOPIC,
    GroupAuthorizationFailedError: ResourceKind.GROUP,
    TransactionalIdAuthorizationFailed: ResourceKind.TRANSACTIONAL_ID,
    # An idempotent producer needs WRITE on at least one topic, of any name.
    ClusterAuthorizationFailedError: ResourceKind.TOPIC,
}


def is_denial(error: BaseException) -> bool:
    """Return whether a broker answered that a right is missing."""
    return type(error) in _DENIED


def cause_of(error: BaseException, rights: Collection[Right] = ()) -> str:
    """Return one line with the cause of an error and what to do; it never contains a secret.

    `rights` are those that the failed request needed: if it is clear which one is missing, the
    line names it and the command that grants it.
    """
    if isinstance(error, NoBrokerReached):
        return error.cause
    missing = _missing(error, rights) if is_denial(error) else ()
    if missing:
        return denied(missing)[0]
    return next((describe(error) for kind, describe in _CAUSES if isinstance(error, kind)), "")


def unreachable(error: BaseException, where: str, rights: Collection[Right] = ()) -> str:
    """Return why the broker cannot be reached at these addresses, as a message."""
    if is_denial(error):
        return cause_of(error, rights)
    place = "" if isinstance(error, NoBrokerReached) else f" at {where}"
    return f"cannot reach the broker{place}: {cause_of(error)}"


def _missing(error: BaseException, rights: Collection[Right]) -> Sequence[Right]:
    """Return the right that is missing, if the error or the request leaves no doubt."""
    kind = _DENIED[type(error)]
    found = [each for each in rights if each.resource.kind is kind]
    named = [each for each in found if _names(error, each.resource.name)]
    if named or isinstance(error, ClusterAuthorizationFailedError):
        return (named or found)[:1]
    return found[:1] if len({each.resource for each in found}) == 1 else ()


def _names(error: BaseException, name: str) -> bool:
    """Return whether aiokafka put this name into the error: alone, or in a set."""
    given = error.args[0] if error.args else None
    return name == given or (isinstance(given, set | frozenset) and name in given)


def _untrusted(error: BaseException) -> str:
    why = getattr(error, "verify_message", "") or "not trusted"
    return f"the broker's certificate: {why}; check kafka.ssl_cafile and the host's name"


def _lacks(right: str) -> Callable[[BaseException], str]:
    return lambda error: f"{type(error).__name__}: our user lacks {right}: {_RIGHTS}"


def _says(text: str) -> Callable[[BaseException], str]:
    return lambda _error: text


_CAUSES: tuple[tuple[type[BaseException], Callable[[BaseException], str]], ...] = (
    (
        SaslAuthenticationFailed,
        _says("the broker refuses user or password: check kafka.sasl_username and its password"),
    ),
    (
        UnsupportedSaslMechanismError,
        _says("the broker does not offer this mechanism: check kafka.sasl_mechanism"),
    ),
    (IllegalSaslStateError, _says(f"this port has no sign-in: {_PROTOCOL}")),
    (TopicAuthorizationFailedError, _lacks("a right on a topic")),
    (GroupAuthorizationFailedError, _lacks("a right on the group")),
    (ClusterAuthorizationFailedError, _lacks("WRITE on any topic")),
    (TransactionalIdAuthorizationFailed, _lacks("a right on the transactional id")),
    (ssl.SSLCertVerificationError, _untrusted),
    (ssl.SSLError, _says(f"no TLS with this port, or another kind of it: {_PROTOCOL}")),
    (
        socket.gaierror,
        _says("the host cannot be resolved: check kafka.bootstrap_servers and the name service"),
    ),
    (
        ConnectionRefusedError,
        _says("nothing listens there: check kafka.bootstrap_servers, and whether a broker runs"),
    ),
    (ConnectionResetError, _says(f"it closes the connection: {_PROTOCOL}")),
    (TimeoutError, _says("no answer in time: a broker that hangs, or a firewall on the way")),
    (KafkaConnectionError, _says(f"it closes the connection, or answers nothing: {_PROTOCOL}")),
    (BaseException, lambda error: type(error).__name__),
)
"""The first kind that an error has names its cause."""
