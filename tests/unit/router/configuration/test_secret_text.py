"""A secret has the same value from every source; an impossible one is refused at the start."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.notifications.options import ChannelOptions
from router.broker.client import TokenFile
from router.configuration.settings import Settings, load_settings
from router.errors import ConfigurationError
from router.secrets.secret_text import checked_secret, trimmed

_SECRET = "sck_hidden-0123456789"
_BOM = "\ufeff"
_URL = f"postgresql://user:{_SECRET}@host/database"

_AROUND = [
    f"{_BOM}{_SECRET}",
    f"{_SECRET}\n",
    f"{_SECRET}\r\n",
    f"\n{_SECRET}\r\n\r\n",
    f"{_BOM}{_SECRET}\r\n",
    f" \t{_SECRET} ",
    f"{_BOM} {_BOM}{_SECRET}\n{_BOM}",
]

_Way = Callable[[Path, str, str, str], Settings]


def _toml(text: str) -> str:
    escaped = text.replace("\ufeff", "\\ufeff").replace("\r", "\\r").replace("\n", "\\n")
    return '"' + escaped.replace("\t", "\\t") + '"'


def _in_file(directory: Path, table: str, file_key: str, text: str) -> Settings:
    (directory / "secret").write_bytes(text.encode())
    path = directory / "secret"
    return _loaded(directory, f'{table}\n{file_key} = "{path}"')


def _loaded(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    config = directory / "payrouter.toml"
    config.write_text(text)
    return load_settings(config, environ or {})


_SHOP = '[endpoints.shop]\nprovider = "blockatm"'
_KAFKA = '[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"\nsasl_username = "user"'


@pytest.mark.parametrize("written", _AROUND, ids=ascii)
@pytest.mark.parametrize("way", ["file", "TOML", "variable", "list in a variable"])
def test_white_space_around_a_secret_of_an_endpoint_is_removed(
    tmp_path: Path, way: str, written: str
) -> None:
    if way == "file":
        settings = _in_file(tmp_path, _SHOP, "secret_files", written)
    elif way == "TOML":
        settings = _loaded(tmp_path, f"{_SHOP}\nsecrets = [{_toml(written)}]")
    else:
        value = written if way == "variable" else f"{_BOM}[{_toml(written)}]\n"
        environ = {"PAYROUTER_ENDPOINTS__SHOP__SECRETS": value}
        settings = _loaded(tmp_path, _SHOP, environ)

    (secret,) = settings.endpoints["shop"].secrets
    assert secret.get_secret_value() == _SECRET


@pytest.mark.parametrize("written", _AROUND, ids=ascii)
@pytest.mark.parametrize("way", ["file", "TOML", "variable"])
def test_white_space_around_the_other_secrets_is_removed(
    tmp_path: Path, way: str, written: str
) -> None:
    url = written.replace(_SECRET, _URL)
    values = {"PAYROUTER_KAFKA__SASL_PASSWORD": written, "PAYROUTER_DATABASE__URL": url}
    if way == "file":
        kafka = _in_file(tmp_path, _KAFKA, "sasl_password_file", written).kafka
        database = _in_file(tmp_path, "[database]", "url_file", url).database
    elif way == "TOML":
        kafka = _loaded(tmp_path, f"{_KAFKA}\nsasl_password = {_toml(written)}").kafka
        database = _loaded(tmp_path, f"[database]\nurl = {_toml(url)}").database
    else:
        settings = _loaded(tmp_path, _KAFKA, values)
        kafka, database = settings.kafka, settings.database

    assert kafka.sasl_password is not None
    assert kafka.sasl_password.get_secret_value() == _SECRET
    assert database.url is not None
    assert database.url.get_secret_value() == _URL.replace("postgresql", "postgresql+asyncpg")


@pytest.mark.parametrize("written", _AROUND, ids=ascii)
async def test_nor_of_tokens_and_of_the_urls_of_channels(tmp_path: Path, written: str) -> None:
    file = tmp_path / "secret"
    file.write_text(written)
    settings = _loaded(tmp_path, f"{_SHOP}\ntoken = {_toml(written)}")
    token = settings.endpoints["shop"].token
    channels = [{"url": f"{written}"}, {"url_file": str(file)}]

    assert token is not None
    assert token.get_secret_value() == _SECRET
    assert await TokenFile(file).token() == _SECRET
    for channel in channels:
        url = ChannelOptions.model_validate(channel).url
        assert url is not None
        assert url.get_secret_value() == _SECRET


def test_the_password_of_a_key_is_trimmed_and_may_be_a_sentence(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, '[kafka]\nssl_key_password = "\\ufeffcorrect horse\\n"')

    assert settings.kafka.ssl_key_password is not None
    assert settings.kafka.ssl_key_password.get_secret_value() == "correct horse"


_NONE: list[tuple[str, str]] = [
    ("", "is empty"),
    (" \r\n", "is empty"),
    (_BOM, "is empty"),
    ("REPLACE-me-with-a-random-text", "still has the placeholder"),
    ("REPLACE me", "still has the placeholder"),
    (f"postgresql://u:REPLACE-with-{_SECRET}@h/d", "still has the placeholder"),
    (f"{_SECRET} {_SECRET}", "has white space inside"),
    (f"{_SECRET}\n{_SECRET}", "has white space inside"),
    (f"{_SECRET}\u00a0{_SECRET}", "has white space inside"),
    (f"{_SECRET}{_BOM}{_SECRET}", "has white space inside"),
    (f"{_SECRET}\u200b", "has an invisible character"),
    (f"{_SECRET}\u202e{_SECRET}", "has an invisible character"),
    (f"\x7f{_SECRET}", "has an invisible character"),
]


@pytest.mark.parametrize(("written", "why"), _NONE, ids=[ascii(text) for text, _ in _NONE])
@pytest.mark.parametrize("key", ["secrets", "secret_files", "token", "sasl_password", "url"])
def test_what_cannot_be_a_secret_is_refused_without_being_repeated(
    tmp_path: Path, key: str, written: str, why: str
) -> None:
    environ = {
        "secrets": "PAYROUTER_ENDPOINTS__SHOP__SECRETS",
        "token": "PAYROUTER_ENDPOINTS__SHOP__TOKEN",
        "sasl_password": "PAYROUTER_KAFKA__SASL_PASSWORD",
        "url": "PAYROUTER_DATABASE__URL",
    }

    def start() -> Settings:
        if key == "secret_files":
            return _in_file(tmp_path, _SHOP, key, written)
        return _loaded(tmp_path, _SHOP, {environ[key]: written})

    with pytest.raises(ConfigurationError) as refused:
        start()

    (line,) = refused.value.problems
    assert key in line.partition(": ")[0]
    assert why in line
    assert _SECRET not in line


def test_a_secret_without_anything_around_it_is_left_as_it_is() -> None:
    for secret in ("a", "whsec_+/=", "ä" * 3, "x" * 10_000, "replace-me"):
        assert checked_secret(secret) == secret == trimmed(secret)


def test_every_placeholder_of_our_examples_is_refused() -> None:
    root = Path(__file__).parents[4]
    examples = [path.read_text() for path in (root / "deploy" / "secrets").glob("*.example")]

    assert len(examples) > 3
    for text in examples:
        with pytest.raises(ValueError, match="placeholder"):
            checked_secret(text)


def test_a_file_with_a_byte_order_mark_is_toml(tmp_path: Path) -> None:
    settings: Any = _loaded(tmp_path, f"{_BOM}[edge]\nport = 1")

    assert settings.edge.port == 1
