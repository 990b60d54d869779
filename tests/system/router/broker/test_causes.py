"""A client that reaches no broker names the cause, and what to do about it."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from router.broker.adapter.bootstrap import NoBrokerReached, cause_of
from router.broker.client import make_producer
from router.broker.connection import KafkaConnection
from router.configuration.settings import settings_from
from tests.parts.edge.certificates import write_pair
from tests.parts.edge.edge_server import configuration, running_edge
from tests.parts.kafka.guarded import Guarded
from tests.parts.ports import free_port
from tests.parts.waiting import eventually

_PASSWORD = "right-hidden-0123456789"
_SIGNED = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_username": "edge",
    "sasl_password": _PASSWORD,
}
_PROTOCOL = "check kafka.security_protocol and the port in kafka.bootstrap_servers"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    """Run a broker where users sign in by SCRAM-SHA-256."""
    broker = Guarded("SCRAM-SHA-256")
    try:
        broker.start(_PASSWORD)
        yield broker
    finally:
        broker.node.destroy()


async def _cause(servers: str, **options: str) -> str:
    """Return why a producer reaches no broker, empty if it reaches one."""
    kafka = settings_from({"kafka": {"bootstrap_servers": servers, **options}}).kafka
    producer = make_producer(KafkaConnection.of(kafka), request_timeout_ms=5000)
    said = ""
    try:
        await producer.start()
    except NoBrokerReached as error:
        said = f"{error} {cause_of(error)}"
    finally:
        await producer.stop()
    assert _PASSWORD not in said
    assert "\n" not in said
    return said.rpartition(f" {servers}: ")[2]


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (
            {"sasl_password": "wrong-hidden-0123456789"},
            "the broker refuses user or password: check kafka.sasl_username and its password",
        ),
        (
            {"sasl_username": "unknown"},
            "the broker refuses user or password: check kafka.sasl_username and its password",
        ),
        (
            {"sasl_mechanism": "SCRAM-SHA-512"},
            "the broker does not offer this mechanism: check kafka.sasl_mechanism",
        ),
        (
            {"security_protocol": "PLAINTEXT"},
            f"it closes the connection, or answers nothing: {_PROTOCOL}",
        ),
        ({}, ""),
    ],
    ids=["password", "user", "mechanism", "protocol", "nothing is wrong"],
)
async def test_a_wrong_setting_is_named(
    guarded: Guarded, wrong: dict[str, str], cause: str
) -> None:
    assert await _cause(guarded.bootstrap, **{**_SIGNED, **wrong}) == cause


@pytest.mark.kafka
async def test_an_edge_that_is_not_ready_names_the_cause(
    guarded: Guarded, topics_prefix: str
) -> None:
    values = configuration(guarded.bootstrap, topics_prefix)
    values["kafka"] |= {**_SIGNED, "sasl_password": "wrong-hidden-0123456789"}

    async with running_edge(values) as edge:

        async def named() -> bool:
            return b"the broker refuses user or password" in (await edge.probe("/readyz")).body

        await eventually(named, "the cause at /readyz")
        (line,) = [each for each in edge.log if each["event"] == "broker_unreachable"]
        assert "the broker refuses user or password" in line["detail"]


@pytest.mark.kafka
async def test_a_port_without_sign_in_or_tls_is_named(guarded: Guarded) -> None:
    signed = await _cause(guarded.node.bootstrap, **_SIGNED)
    encrypted = await _cause(guarded.node.bootstrap, security_protocol="SSL")

    assert signed == f"this port has no sign-in: {_PROTOCOL}"
    assert encrypted == f"it closes the connection: {_PROTOCOL}"


async def test_an_address_without_a_broker_is_named() -> None:
    nothing = f"127.0.0.1:{free_port()}"

    refused, unknown = await _cause(nothing), await _cause("nowhere.invalid:9092")
    both = await _cause(f"{nothing},127.0.0.1:{free_port()}")

    listens = "nothing listens there: check kafka.bootstrap_servers, and whether a broker runs"
    assert refused == listens
    assert unknown.startswith("the host cannot be resolved: check kafka.bootstrap_servers")
    assert both.endswith(f" (and 1 more): {listens}")


@pytest.mark.parametrize(
    ("lasts", "why"),
    [(timedelta(days=30), "self-signed certificate"), (timedelta(days=-1), "expired")],
    ids=["foreign", "expired"],
)
async def test_a_certificate_that_is_not_trusted_is_named(
    tmp_path: Path, lasts: timedelta, why: str
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_pair(certificate, key, "stranger", lasts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    trusted = {} if lasts > timedelta() else {"ssl_cafile": str(certificate)}

    server = await asyncio.start_server(lambda _, out: out.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        cause = await _cause(f"localhost:{port}", security_protocol="SSL", **trusted)

    assert cause.startswith("the broker's certificate: ")
    assert why in cause
    assert cause.endswith("; check kafka.ssl_cafile and the host's name")
