"""Changes of a configuration that need a restart, and those that apply at once."""

import copy
from pathlib import Path
from typing import Any

import pytest

from router.configuration.settings import Settings, settings_from
from router.edge.reload import awaiting_restart, watched_files, without_restart

_SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u"}


def _settings(directory: Path, **tables: dict[str, Any]) -> Settings:
    for name in ("one", "two"):
        (directory / name).write_text(name)
    values: dict[str, Any] = {
        "endpoints": {"shop": {"provider": "blockatm", "secrets": ["x"]}},
        **copy.deepcopy(tables),
    }
    return settings_from(values)


_PAIR = {"tls_certificate": "/c", "tls_key": "/k"}
_INLINE = [{"kafka": {**_SASL, "sasl_password": word}} for word in ("one", "two")]

_CASES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({}, {}, []),
    ({}, {"endpoints": {"other": {"provider": "resmic", "secrets": ["y"], "token": "t" * 20}}}, []),
    ({}, {"edge": {"trusted_proxies": "10.0.0.1", "public_url": "https://x"}}, []),
    ({}, {"log": {"level": "debug"}}, []),
    ({}, {"log": {"format": "json"}}, ["log.format"]),
    ({}, {"edge": {"port": 1, "max_in_flight": 2}}, ["edge.max_in_flight", "edge.port"]),
    ({}, {"topics": {"prefix": "x"}}, ["topics.prefix"]),
    ({}, {"kafka": {"bootstrap_servers": "a:1"}}, ["kafka.bootstrap_servers"]),
    (_INLINE[0], _INLINE[1], ["kafka.sasl_password"]),
    ({"edge": _PAIR}, {"edge": {**_PAIR, "tls_key": "/other"}}, []),
    ({}, {"edge": _PAIR}, ["edge.tls_certificate", "edge.tls_key"]),
    ({"edge": _PAIR}, {}, ["edge.tls_certificate", "edge.tls_key"]),
    # The edge does not read these.
    ({}, {"consumers": {"ledger": {}}, "exporter": {"every_seconds": 1}}, []),
    ({}, {"database": {"url": "postgresql://h/d"}, "order": {"fields": {}}}, []),
]


@pytest.mark.parametrize(("started", "wanted", "keys"), _CASES)
def test_keys_that_need_a_restart_are_named(
    tmp_path: Path, started: dict[str, Any], wanted: dict[str, Any], keys: list[str]
) -> None:
    before, after = _settings(tmp_path, **started), _settings(tmp_path, **wanted)

    assert awaiting_restart(before, after) == keys


def test_new_password_in_the_same_file_needs_no_restart_but_another_file_does(
    tmp_path: Path,
) -> None:
    def kafka(name: str) -> Settings:
        return _settings(tmp_path, kafka={**_SASL, "sasl_password_file": str(tmp_path / name)})

    before, elsewhere = kafka("one"), kafka("two")
    (tmp_path / "one").write_text("rotated")
    same = settings_from(
        {
            "endpoints": {"shop": {"provider": "blockatm", "secrets": ["x"]}},
            "kafka": {**_SASL, "sasl_password_file": str(tmp_path / "one")},
        }
    )

    assert before.kafka.sasl_password != same.kafka.sasl_password
    assert awaiting_restart(before, same) == []
    assert awaiting_restart(before, elsewhere) == ["kafka.sasl_password_file"]


def test_every_file_that_the_edge_reads_is_watched(tmp_path: Path) -> None:
    shop = {"provider": "blockatm", "secret_files": [str(tmp_path / "one"), str(tmp_path / "two")]}
    settings = _settings(tmp_path, endpoints={"shop": shop}, edge=_PAIR)

    assert watched_files(settings, tmp_path / "payrouter.toml") == [
        tmp_path / "payrouter.toml",
        Path("/c"),
        Path("/k"),
        tmp_path / "one",
        tmp_path / "two",
    ]
    assert watched_files(_settings(tmp_path), None) == []


@pytest.mark.parametrize(("started", "wanted", "keys"), _CASES)
def test_a_later_start_has_what_applies_at_once_and_nothing_else(
    tmp_path: Path, started: dict[str, Any], wanted: dict[str, Any], keys: list[str]
) -> None:
    before, after = _settings(tmp_path, **started), _settings(tmp_path, **wanted)

    joining = without_restart(before, after)

    assert awaiting_restart(before, joining) == []
    assert awaiting_restart(joining, after) == keys
    assert joining.endpoints == after.endpoints
    assert joining.log.level == after.log.level
    assert joining.edge.trusted_proxies == after.edge.trusted_proxies
