"""The Kafka client settings, as the clients take them; nothing connects."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from router.broker.client import TokenFile, client_options, make_admin
from router.broker.connection import KafkaConnection
from router.broker.faststream_broker import make_broker
from router.configuration.settings import settings_from
from router.errors import ConfigurationError

_TLS = Path(__file__).parents[3] / "samples" / "tls"
_CA = str(_TLS / "certificate.pem")
_PASSWORD = "hidden-0123456789"
_USER = {"sasl_username": "user", "sasl_password": _PASSWORD}
_MUTUAL = {"ssl_certfile": _CA, "ssl_keyfile": str(_TLS / "key.pem")}


def _kafka(**values: object) -> KafkaConnection:
    return KafkaConnection.of(settings_from({"kafka": values}).kafka)


_WAYS: list[dict[str, Any]] = [
    {},
    {"security_protocol": "SSL"},
    {"security_protocol": "SSL", "ssl_cafile": _CA, **_MUTUAL},
    *(
        {"security_protocol": protocol, "sasl_mechanism": mechanism, **_USER}
        for protocol in ("SASL_PLAINTEXT", "SASL_SSL")
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    ),
    {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_token_file": "/token",
    },
]


def _name(way: dict[str, Any]) -> str:
    words = (way.get(key, "") for key in ("security_protocol", "sasl_mechanism", "ssl_certfile"))
    return "-".join(Path(word).name for word in words if word) or "nothing said"


def test_without_security_the_clients_get_servers_and_client_id() -> None:
    options = client_options(_kafka(bootstrap_servers="a:1, b:2", client_id="edge"))

    assert options == {"bootstrap_servers": ["a:1", "b:2"], "client_id": "edge"}


def test_addresses_have_no_spaces_for_the_options_of_kafkas_tools() -> None:
    assert _kafka(bootstrap_servers="a:1, b:2").bootstrap == "a:1,b:2"


@pytest.mark.parametrize("way", _WAYS, ids=_name)
def test_the_clients_speak_the_protocol_that_is_configured(way: dict[str, Any]) -> None:
    options = client_options(_kafka(**way))

    protocol = way.get("security_protocol", "PLAINTEXT")
    assert options.get("security_protocol", "PLAINTEXT") == protocol
    assert options.get("sasl_mechanism") == way.get("sasl_mechanism")
    encrypted = protocol in {"SSL", "SASL_SSL"}
    assert isinstance(options.get("ssl_context"), ssl.SSLContext) is encrypted
    if "sasl_username" in way:
        assert options["sasl_plain_username"] == "user"
        assert options["sasl_plain_password"] == _PASSWORD


@pytest.mark.parametrize("way", _WAYS, ids=_name)
async def test_the_clients_take_what_they_are_given(way: dict[str, Any]) -> None:
    kafka = _kafka(**way)

    assert make_admin(kafka) is not None
    assert make_broker(kafka) is not None


def test_a_broker_is_believed_only_with_its_certificate_and_name() -> None:
    context = client_options(_kafka(security_protocol="SSL", ssl_cafile=_CA))["ssl_context"]

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [dict(ca["subject"][0])["commonName"] for ca in context.get_ca_certs()] == ["localhost"]


async def test_a_token_is_read_for_every_connection(tmp_path: Path) -> None:
    path = tmp_path / "token"
    kafka = _kafka(
        security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_token_file=str(path)
    )
    provider = client_options(kafka)["sasl_oauth_token_provider"]
    tokens = []

    for text in ("first\n", "second\n"):
        path.write_text(text)
        tokens.append(await provider.token())

    assert isinstance(provider, TokenFile)
    assert tokens == ["first", "second"]


def test_a_password_from_a_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(f"{_PASSWORD}\n")
    way = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"}

    kafka = _kafka(**way, sasl_username="user", sasl_password_file=str(path))

    assert client_options(kafka)["sasl_plain_password"] == _PASSWORD


def test_a_locked_key_is_opened_with_its_password() -> None:
    locked = {"ssl_certfile": _CA, "ssl_keyfile": str(_TLS / "locked-key.pem")}

    options = client_options(
        _kafka(security_protocol="SSL", **locked, ssl_key_password="opens-the-key")
    )

    assert options["security_protocol"] == "SSL"


@pytest.mark.parametrize(
    "files",
    [
        {"ssl_cafile": "/nowhere.pem"},
        {"ssl_cafile": str(_TLS / "__init__.py")},
        {"ssl_certfile": _CA},
        {"ssl_certfile": _CA, "ssl_keyfile": "/nowhere.pem"},
        {"ssl_certfile": _CA, "ssl_keyfile": str(_TLS / "locked-key.pem")},
        {
            "ssl_certfile": _CA,
            "ssl_keyfile": str(_TLS / "locked-key.pem"),
            "ssl_key_password": _PASSWORD,
        },
    ],
    ids="-".join,
)
def test_files_that_cannot_be_used_are_refused_in_one_line(files: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"^kafka\.ssl_cafile, ssl_certfile") as refused:
        _kafka(security_protocol="SSL", **files)

    assert len(str(refused.value).splitlines()) == 1
    assert _PASSWORD not in str(refused.value)
