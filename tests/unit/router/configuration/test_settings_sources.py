"""Secrets come from the file, from separate files and from variables, and are never shown."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from router.configuration.settings import Settings, load_settings, read_database, settings_from
from router.edge.app import build_edge
from router.errors import ConfigurationError

_SECRET = "sck_hidden-0123456789"
_TOML = f"""
[endpoints.shop-eu]
provider = "blockatm"
secrets = ["{_SECRET}"]
token = "{_SECRET}"
[kafka]
security_protocol = "SASL_PLAINTEXT"
sasl_mechanism = "PLAIN"
sasl_username = "user"
sasl_password = "{_SECRET}"
ssl_key_password = "{_SECRET}"
[database]
url = "postgresql://user:{_SECRET}@host/database"
[consumers.ledger.database]
url = "postgresql://user:{_SECRET}@host/database"
"""


def _loaded(directory: Path, **environ: str) -> Settings:
    path = directory / "payrouter.toml"
    path.write_text(_TOML)
    return load_settings(path, environ)


def _secrets(settings: Settings) -> list[str]:
    return [secret.get_secret_value() for secret in settings.endpoints["shop-eu"].secrets]


def test_no_secret_is_shown_by_settings_or_by_what_is_made_of_them(tmp_path: Path) -> None:
    settings = _loaded(tmp_path)
    process = build_edge(settings)

    shown = [repr(settings), str(settings), repr(settings.endpoints), repr(process)]
    shown += [repr(gate) for gate in process.app.gates.values()]
    shown += [repr(gate.endpoint.keys) for gate in process.app.gates.values()]
    shown += [repr(process.app), repr(process.publisher), repr(process.app.handler)]
    assert _SECRET not in "".join(shown)
    assert _secrets(settings) == [_SECRET]


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = _loaded(tmp_path)

    with pytest.raises(ValueError, match="frozen"):
        settings.edge.port = 1


def test_a_variable_may_bring_the_secret(tmp_path: Path) -> None:
    one = _loaded(tmp_path, PAYROUTER_ENDPOINTS__SHOP_EU__SECRETS="one")
    two = _loaded(tmp_path, PAYROUTER_ENDPOINTS__SHOP_EU__SECRETS='["one", "two"]')

    assert (_secrets(one), _secrets(two)) == (["one"], ["one", "two"])


def test_a_wrong_variable_is_named_by_its_key_and_not_by_its_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _loaded(tmp_path, PAYROUTER_EDGE__PORT=_SECRET)

    assert str(refused.value).startswith("edge.port: ")
    assert _SECRET not in str(refused.value)


def test_files_of_secrets_add_to_secrets_and_are_stripped(
    tmp_path: Path,
) -> None:
    (tmp_path / "old").write_text(" old \n")
    (tmp_path / "new").write_text("new")
    files = [str(tmp_path / "old"), str(tmp_path / "new")]
    values: dict[str, Any] = {
        "endpoints": {
            "shop-eu": {"provider": "blockatm", "secrets": _SECRET, "secret_files": files}
        }
    }

    assert _secrets(settings_from(copy.deepcopy(values))) == [_SECRET, "old", "new"]
    values["endpoints"]["shop-eu"] = {"provider": "blockatm", "secret_files": files[0]}
    assert _secrets(settings_from(values)) == ["old"]


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    endpoint = {"provider": "blockatm", "secret_files": [str(path)]}

    with pytest.raises(ConfigurationError, match=r"^endpoints\.shop"):
        settings_from({"endpoints": {"shop": endpoint}})


def test_a_file_of_a_password_or_of_an_address_is_read_and_excludes_the_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret"
    path.write_text(f"postgresql://user:{_SECRET}@host/database\n")
    read = read_database({"url_file": str(path)}, "consumers.ledger.database")

    assert read.url is not None
    assert read.url.get_secret_value() == (f"postgresql+asyncpg://user:{_SECRET}@host/database")
    with pytest.raises(ConfigurationError, match=r"^database\.url_file: url is given as well$"):
        settings_from({"database": {"url": "postgresql://h/d", "url_file": str(path)}})
    with pytest.raises(ConfigurationError, match=r"^kafka\.sasl_password_file: sasl_password is"):
        settings_from({"kafka": {"sasl_password": "x", "sasl_password_file": str(path)}})


def test_a_problem_of_another_table_is_reported_with_its_path() -> None:
    with pytest.raises(ConfigurationError, match=r"^consumers\.ledger\.database\.urls: unknown"):
        read_database({"urls": "x"}, "consumers.ledger.database")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/database",
        "postgres://user:p%40ss@host:5432/database?ssl=require",
        "postgresql+asyncpg://user@[::1]:5432/database",
        "postgresql:///database?host=/run/postgresql",
        "postgresql:///database?host=/run/postgresql&port=5433&user=a&password=p@ss",
        "postgresql://host?ssl=require&prepared_statement_cache_size=0",
        "postgresql://host/database?sslmode=require",
        "postgresql://host/database?sslmode=verify-full&sslrootcert=/ca.crt&sslcert=/c&sslkey=/k",
        "postgresql://user:with:colon@host/database",
        "postgresql://user:with/slash@host/database",
    ],
)
def test_the_addresses_of_a_database_that_libpq_knows_are_taken(url: str) -> None:
    settings = settings_from({"database": {"url": url}})

    assert settings.database.url is not None
    taken = settings.database.url.get_secret_value()
    assert taken == "postgresql+asyncpg://" + url.partition("://")[2]


@pytest.mark.parametrize(
    "servers", ["localhost:9092", "a:1,b:65535", "a:1, b:2", "[::1]:9092", "10.0.0.1:9092"]
)
def test_the_addresses_of_a_broker_are_taken(servers: str) -> None:
    assert settings_from({"kafka": {"bootstrap_servers": servers}}).kafka.bootstrap_servers


def test_nothing_at_all_is_a_configuration_of_defaults() -> None:
    settings = load_settings(None, {})

    assert settings.endpoints == {}
    assert settings.edge.host == "127.0.0.1"
    assert settings.topics.topics().events == ("payment", "payout", "subscription")
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own
