"""Every process of a consumer, and the exporter, signs in with the current content of the files."""

from pathlib import Path

import pytest

from consumers.configuration import consumer_settings
from consumers.discovery import discover
from consumers.runtime.settings import ConsumerSettings
from router.broker.client import broker_options, client_options
from router.commands.invocation import Invocation
from router.terminal.options import ConfigurationPlace
from tests.parts.edge.edge_command import NoConsumers

_OLD, _NEW = "old-hidden-0123456789", "new-hidden-0123456789"
_SASL = (
    'security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "SCRAM-SHA-256"\nsasl_username = "u"'
)


def _settings(directory: Path, own: str) -> ConsumerSettings:
    (directory / "payrouter.toml").write_text(
        f"""
        [kafka]
        {_SASL}
        sasl_password_file = "{directory}/password"
        {own}
        url_file = "{directory}/url"
        """
    )
    invocation = Invocation(
        ConfigurationPlace(directory / "payrouter.toml", directory), NoConsumers()
    )
    return consumer_settings(invocation, discover()["ledger"])


def _put(directory: Path, password: str) -> None:
    for name, text in (("password", password), ("url", f"postgresql://u:{password}@host/d")):
        draft = directory / "draft"
        draft.write_text(f"\ufeff{text}\r\n")
        draft.replace(directory / name)


@pytest.mark.parametrize("table", ["[database]", "[consumers.ledger.database]"])
def test_a_consumer_signs_in_with_the_current_content_of_the_files(
    tmp_path: Path, table: str
) -> None:
    _put(tmp_path, _OLD)
    settings = _settings(tmp_path, table)
    seen = []
    for password in (_OLD, _NEW):
        _put(tmp_path, password)
        url_now = settings.database_url_now
        assert url_now is not None
        seen.append((client_options(settings.kafka)["sasl_plain_password"], url_now()))

    assert seen == [(each, f"postgresql+asyncpg://u:{each}@host/d") for each in (_OLD, _NEW)]
    assert "hidden" not in repr(settings) + repr(settings.kafka)
    assert broker_options(settings.kafka).keys() == {"bootstrap_servers", "client_id"}


def test_a_database_url_that_became_none_leaves_the_last_one(tmp_path: Path) -> None:
    _put(tmp_path, _OLD)
    url_now = _settings(tmp_path, "[database]").database_url_now
    assert url_now is not None
    before = url_now()

    for text in ("mysql://u@h/d", "", "REPLACE-me"):
        (tmp_path / "url").write_text(text)
        assert url_now() == before
    (tmp_path / "url").unlink()
    assert url_now() == before


@pytest.mark.parametrize(
    ("common", "own", "pooled"),
    [
        ("", "", False),
        ('pooler = "transaction"', "", True),
        ('pooler = "transaction"', 'pooler = "none"', False),
        ("", 'pooler = "transaction"', True),
    ],
)
def test_a_consumer_inherits_the_pooler_but_no_url(
    tmp_path: Path, common: str, own: str, *, pooled: bool
) -> None:
    _put(tmp_path, _OLD)
    tables = (
        f"[database]\nurl = 'postgresql://other/d'\n{common}\n[consumers.ledger.database]\n{own}"
    )
    settings = _settings(tmp_path, tables)
    assert settings.pooled is pooled
    assert settings.database_url.get_secret_value().endswith("@host/d")


@pytest.mark.parametrize(("name", "inherited"), [("d", True), ("another", False)])
def test_urls_of_owner_and_reader_are_inherited_for_the_same_database_only(
    tmp_path: Path, name: str, *, inherited: bool
) -> None:
    _put(tmp_path, _OLD)
    common = f"postgresql://%s@server/{name}?sslmode=require"
    settings = _settings(
        tmp_path,
        f"""
        [database]
        owner_url = "{common % "owner"}"
        reader_url = "{common % "reader"}"
        [consumers.ledger.database]
        """,
    )
    listing = settings.listing.database_url.get_secret_value()
    assert (settings.owner_url is not None) is inherited
    assert ("reader@server" in listing) is inherited
