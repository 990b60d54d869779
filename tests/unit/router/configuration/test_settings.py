"""A configuration is right as a whole or refused in one line that names the key and no secret."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.configuration.settings import settings_from
from router.edge.app import build_edge
from router.edge.endpoints import build_endpoints
from router.errors import ConfigurationError

_SECRET = "sck_hidden-0123456789"
_TOKEN = "hidden-token-0123456789"

_TLS = Path(__file__).parents[3] / "samples" / "tls"

_Changes = Mapping[str, Any]


def _values(changes: _Changes) -> dict[str, Any]:
    """Take a right configuration and set some keys, written with dots, otherwise."""
    values: dict[str, Any] = {
        "endpoints": {
            "shop": {"provider": "blockatm", "secrets": [_SECRET]},
            "other": {"provider": "blockatm", "secrets": ["another"]},
        }
    }
    for key, value in changes.items():
        *tables, last = key.split(".")
        table = values
        for name in tables:
            table = table.setdefault(name, {})
        if value is ...:
            del table[last]
        else:
            table[last] = value
    return values


def _assert_one_line(problem: ConfigurationError) -> None:
    line = str(problem)
    assert len(line.splitlines()) == 1
    for hidden in (_SECRET, _TOKEN):
        assert hidden not in line
        assert hidden not in repr(problem)
    assert problem.__cause__ is None


def _tls(certificate: str, key: str) -> _Changes:
    return {"edge.tls_certificate": str(_TLS / certificate), "edge.tls_key": str(_TLS / key)}


_WRONG: list[tuple[_Changes, str]] = [
    # a key that is not there, at each level
    ({"spools": 1}, "spools: unknown key"),
    ({_TOKEN[:6]: _SECRET}, "hidden: unknown key"),
    ({"edge.ports": 1}, "edge.ports: unknown key"),
    ({"kafka.sasl_passwort": _SECRET}, "kafka.sasl_passwort: unknown key"),
    ({"database.uri": _SECRET}, "database.uri: unknown key"),
    ({"topics.partition": 1}, "topics.partition: unknown key"),
    ({"log.colour": True}, "log.colour: unknown key"),
    # values that are not tables
    ({"edge": _SECRET}, "edge: "),
    ({"endpoints": [_SECRET]}, "endpoints: "),
    ({"endpoints.shop": _SECRET}, "endpoints.shop: "),
    ({"consumers": {"ledger": _SECRET}}, "consumers.ledger: "),
    # secrets
    ({"endpoints.shop.secrets": ""}, "endpoints.shop.secrets.0: is empty"),
    ({"endpoints.shop.secrets": [_SECRET, ""]}, "endpoints.shop.secrets.1: is empty"),
    ({"endpoints.shop.secrets": [_SECRET, 5]}, "endpoints.shop.secrets.1: "),
    ({"endpoints.shop.secrets": {"a": _SECRET}}, "endpoints.shop.secrets: "),
    ({"endpoints.other.secrets": [_SECRET]}, "endpoints.other.secrets: the same secret"),
    ({"endpoints.other.secrets": ["x", _SECRET]}, "endpoints.other.secrets: the same secret"),
    ({"endpoints.shop.secret_files": ["/nowhere"]}, "endpoints.shop.secret_files: cannot read"),
    ({"endpoints.shop.secret_files": "/nowhere"}, "endpoints.shop.secret_files: cannot read"),
    ({"endpoints.shop.secret_files": ["/"]}, "endpoints.shop.secret_files: cannot read"),
    ({"endpoints.shop.secret_files": ["a\0b"]}, "endpoints.shop.secret_files: cannot read"),
    ({"endpoints.shop.secret_files": 5}, "endpoints.shop.secret_files: "),
    # a secret where its file should be named
    ({"endpoints.shop.secret_files": _SECRET}, "endpoints.shop.secret_files: cannot read the file"),
    ({"database.url_file": f"postgresql://u:{_SECRET}@h/d"}, "database.url_file: cannot read the"),
    ({"kafka.sasl_password_file": _SECRET}, "kafka.sasl_password_file: cannot read the file"),
    # what the driver would not understand, and repeat in its error
    ({"database.url": f"postgresql:///d?port={_SECRET}"}, "database.url: port: a number is"),
    (
        {"database.url": f"postgresql://h/d?prepared_statement_cache_size={_SECRET}"},
        "database.url: prepared_statement_cache_size: a number is expected",
    ),
    (
        {"database.url": f"postgresql://h/d?{_SECRET}=x"},
        "database.url: its query may contain only ",
    ),
    (
        {"database.url": "postgresql://h/d?sslmode=yes"},
        "database.url: sslmode: expected one of disable, allow, prefer, require, verify-ca, ver",
    ),
    (
        {"database.url": "postgresql://h/d?ssl=require&sslrootcert=/ca.crt"},
        "database.url: ssl: write sslmode instead",
    ),
    (
        {"database.url": "postgresql://h/d?sslrootcert=/ca.crt"},
        "database.url: sslmode: missing, or the certificate might not be checked",
    ),
    (
        {"database.url": "postgresql://h/d?sslmode=require&sslrootcert=system"},
        "database.url: sslrootcert: system needs sslmode=verify-full",
    ),
    ({"database.pooler": "session"}, "database.pooler: "),
    # endpoints
    ({"endpoints.shop.provider": ...}, "endpoints.shop.provider: Field required"),
    ({"endpoints.shop.provider": 5}, "endpoints.shop.provider: "),
    ({"endpoints.shop.account": ""}, "endpoints.shop.account: "),
    ({"endpoints.shop.mode": "sandbox"}, "endpoints.shop.mode: "),
    ({"endpoints.shop.account": "a\0b"}, "endpoints.shop.account: "),
    ({"endpoints.shop.account": "x" * 513}, "endpoints.shop.account: "),
    ({"endpoints.Shop.provider": "blockatm", "endpoints.Shop.secrets": "x"}, "endpoints.Shop: "),
    ({"endpoints.-a.provider": "blockatm", "endpoints.-a.secrets": "x"}, "endpoints.-a: "),
    ({"endpoints.a\nb.provider": "blockatm", "endpoints.a\nb.secrets": "x"}, "endpoints.a b"),
    ({"endpoints.shop.token": "short"}, "endpoints.shop.token: a token is 16 to 128"),
    ({"endpoints.shop.token": _TOKEN + "/x"}, "endpoints.shop.token: a token is 16 to 128"),
    ({"endpoints.shop.token": _TOKEN + "\nx"}, "endpoints.shop.token: has white space inside"),
    ({"endpoints.shop.tolerance_seconds": 0}, "endpoints.shop.tolerance_seconds: "),
    ({"endpoints.shop.deadline_seconds": 61}, "endpoints.shop.deadline_seconds: "),
    ({"endpoints.shop.deadline_seconds": "nan"}, "endpoints.shop.deadline_seconds: "),
    ({"endpoints.shop.tolerance_seconds": "inf"}, "endpoints.shop.tolerance_seconds: "),
    ({"endpoints.shop.tolerance_seconds": 1e300}, "endpoints.shop.tolerance_seconds: "),
    # the platform's orders
    ({"order.field": 1}, "order.field: unknown key"),
    ({"order.fields": {"sum": "/x"}}, "order.fields.sum: unknown key"),
    (
        {"order.fields": {"total": "x"}},
        "order.fields.total: must be a JSON Pointer such as",
    ),
    ({"order.fields": {"types": {"a": "b"}}}, "order.fields.types.a: "),
    ({"order.fields": {"reference": "/id"}}, "order.fields: id identifies the message"),
    (
        {"endpoints.shop.allow_from": []},
        "endpoints.shop: allow_from: empty, so no address could deliver",
    ),
    ({"endpoints.shop.allow_from": "10.0.0.1/8"}, "endpoints.shop.allow_from: expected"),
    ({"endpoints.shop.allow_from": ["10.0.0.0/8", "here"]}, "endpoints.shop.allow_from: expected"),
    ({"endpoints.shop.allow_from": ["published", "::1"]}, "endpoints.shop: allow_from: networks,"),
    ({"endpoints.shop.public_url": "shop.example"}, "endpoints.shop.public_url: expected https"),
    ({"edge.public_url": "https://u:p@shop.example"}, "edge.public_url: expected https"),
    ({"edge.public_url": "https://shop.example/?a"}, "edge.public_url: expected https"),
    (
        {"edge.public_url": "https://shop.example/\u043f\u0430\u0439"},
        "edge.public_url: expected https",
    ),
    ({"edge.public_url": "https://shop.example:0"}, "edge.public_url: expected https"),
    ({"edge.trusted_proxies": "proxy"}, "edge.trusted_proxies: expected addresses or networks"),
    (
        {"endpoints.shop.token": _TOKEN, "endpoints.other.token": _TOKEN},
        "endpoints.other.token: the same token is set for endpoints.shop",
    ),
    # the rest
    ({"edge.port": 65536}, "edge.port: "),
    ({"edge.port": "http"}, "edge.port: "),
    ({"edge.body_limit_bytes": 10}, "edge.body_limit_bytes: "),
    ({"edge.header_limit_bytes": 10**6}, "edge.header_limit_bytes: "),
    ({"edge.max_in_flight": 0}, "edge.max_in_flight: "),
    ({"edge.stale_per_minute": -1}, "edge.stale_per_minute: "),
    ({"edge.tls_key": "/key.pem"}, "edge: tls_key needs tls_certificate"),
    ({"edge.tls_certificate": "/cert.pem"}, "edge: tls_certificate needs tls_key"),
    ({"kafka.bootstrap_servers": ""}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": "kafka"}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": "a:1,"}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": "a:1;b:2"}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": "a:65536"}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": "a:0"}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": "http://a:1"}, "kafka.bootstrap_servers: expected host:port"),
    ({"kafka.bootstrap_servers": f"u:{_SECRET}@a:1"}, "kafka.bootstrap_servers: expected"),
    ({"kafka.bootstrap_servers": ["a:1"]}, "kafka.bootstrap_servers: "),
    ({"kafka.security_protocol": "TLS"}, "kafka.security_protocol: "),
    ({"kafka.security_protocol": "SASL_SSL"}, "kafka: SASL_SSL needs sasl_mechanism"),
    ({"kafka.max_request_bytes": 1}, "kafka.max_request_bytes: "),
    ({"kafka.sasl_password_file": "/nowhere"}, "kafka.sasl_password_file: cannot read"),
    ({"database.url": ""}, "database.url: is empty"),
    ({"database.url": f"mysql://u:{_SECRET}@h/d"}, "database.url: expected postgresql"),
    ({"database.url": f"u:{_SECRET}@h/d"}, "database.url: expected postgresql"),
    ({"database.url": "postgresql://"}, "database.url: expected postgresql"),
    ({"database.url": f"postgresql://u:{_SECRET}@h:5x/d"}, "database.url: expected postgresql"),
    ({"database.url": f"postgresql://u:{_SECRET}@h:99999/d"}, "database.url: expected postgresql"),
    ({"database.url_file": "/nowhere"}, "database.url_file: cannot read"),
    ({"topics.prefix": "a b"}, "topics: prefix: "),
    ({"topics.names": {"payments": "x"}}, "topics: names: there is no topic payments"),
    ({"topics.names": {"payment": "x y"}}, "topics: names.payment: "),
    ({"topics.names": {"payment": "payout"}}, "topics: names: "),
    ({"topics.replication_factor": 1}, "topics: min_insync_replicas above replication_factor"),
    ({"log.level": "loud"}, "log.level: "),
    ({"log.format": "xml"}, "log.format: "),
]


@pytest.mark.parametrize(("changes", "line"), _WRONG, ids=[repr(wrong[0]) for wrong in _WRONG])
def test_a_wrong_configuration_is_refused_in_one_line_that_names_the_key(
    changes: _Changes, line: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_from(_values(changes))

    assert str(refused.value).startswith(line)
    _assert_one_line(refused.value)


@pytest.mark.parametrize(
    ("mechanism", "needed"),
    [
        ("PLAIN", "sasl_username"),
        ("SCRAM-SHA-256", "sasl_username"),
        ("SCRAM-SHA-512", "sasl_username"),
        ("OAUTHBEARER", "sasl_token_file"),
    ],
)
def test_a_sasl_mechanism_without_its_settings_is_refused(mechanism: str, needed: str) -> None:
    kafka = {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism}

    with pytest.raises(ConfigurationError, match=f"^kafka: {mechanism} needs {needed}$"):
        settings_from(_values({"kafka": kafka}))


def test_a_name_without_a_password_is_refused() -> None:
    kafka = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u"}

    with pytest.raises(ConfigurationError, match=r"^kafka: PLAIN needs sasl_password$"):
        settings_from(_values({"kafka": kafka}))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"endpoints": {}}, "endpoints: none is configured"),
        ({"endpoints.shop.provider": "paypal"}, "endpoints.shop.provider: unknown provider"),
        ({"endpoints.shop.secret": _SECRET}, "endpoints.shop.secret: unknown key"),
        ({"endpoints.shop.a\nb": 1}, "endpoints.shop.a b: unknown key"),
        ({"endpoints.shop.options": {}}, "endpoints.shop.options: unknown key"),
        ({"endpoints.shop.secrets": ...}, "endpoints.shop: no secret"),
        ({"endpoints.shop.secrets": []}, "endpoints.shop: no secret"),
        ({"endpoints.shop.allow_from": "published"}, "endpoints.shop.allow_from: blockatm pub"),
        ({"edge.body_limit_bytes": 1024 * 1024}, "edge.body_limit_bytes: "),
        ({"kafka.max_request_bytes": 100_000}, "edge.body_limit_bytes: "),
        (_tls("nothing.pem", "key.pem"), "edge.tls_certificate, tls_key: cannot be used"),
        (_tls("certificate.pem", "__init__.py"), "edge.tls_certificate, tls_key: cannot be used"),
        (_tls("certificate.pem", "locked-key.pem"), "edge.tls_certificate, tls_key: cannot"),
    ],
)
def test_what_the_edge_could_not_work_with_is_refused_at_its_start(
    changes: _Changes, line: str
) -> None:
    settings = settings_from(_values(changes))

    with pytest.raises(ConfigurationError) as refused:
        build_edge(settings)

    assert str(refused.value).startswith(line)
    _assert_one_line(refused.value)


def test_the_body_limit_may_fill_what_the_producer_sends_to_the_byte() -> None:
    needed = 256 * 1024 * 4 // 3 + 64 * 1024

    build_edge(settings_from(_values({"kafka.max_request_bytes": needed})))
    with pytest.raises(ConfigurationError, match=f"record of up to {needed}, "):
        build_edge(settings_from(_values({"kafka.max_request_bytes": needed - 1})))


def test_two_endpoints_of_one_account_may_share_a_secret() -> None:
    same = {"endpoints.other.secrets": _SECRET, "endpoints.other.account": "shop"}

    assert settings_from(_values(same)).endpoints["other"].account == "shop"


def test_a_live_and_a_test_endpoint_cannot_share_an_account() -> None:
    shared = {"endpoints.other.account": "shop", "endpoints.other.mode": "test"}

    with pytest.raises(ConfigurationError) as refused:
        settings_from(_values(shared))

    assert str(refused.value) == (
        "endpoints.other.mode: test, and endpoints.shop is live under the same account, shop:"
        " test money needs a separate account"
    )


def test_a_test_endpoint_needs_a_separate_account() -> None:
    settings = settings_from(_values({"endpoints.other.mode": "test"}))

    assert {name: each.mode for name, each in settings.endpoints.items()} == {
        "shop": "live",
        "other": "test",
    }
    assert build_endpoints(settings)["other"].mode == "test"


def test_the_account_defaults_to_the_name_of_the_endpoint() -> None:
    accounts = {name: e.account for name, e in settings_from(_values({})).endpoints.items()}

    assert accounts == {"shop": "shop", "other": "other"}
