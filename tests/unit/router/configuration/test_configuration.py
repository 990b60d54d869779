"""Sources of the configuration: the file, and the variables that override it."""

from pathlib import Path
from typing import Any

import pytest

from router.configuration.sources import read_sources
from router.errors import ConfigurationError

_SECRET = "sck_hidden-0123456789"


def _read(directory: Path, text: str, **environ: str) -> dict[str, Any]:
    path = directory / "payrouter.toml"
    path.write_text(text)
    return read_sources(path, environ)


def test_the_file_is_read_unchanged(tmp_path: Path) -> None:
    assert _read(tmp_path, '[kafka]\nclient_id = "a"\n[edge]\nport = 1') == {
        "kafka": {"client_id": "a"},
        "edge": {"port": 1},
    }


def test_without_a_file_the_variables_are_all_there_is() -> None:
    assert read_sources(None, {"PAYROUTER_EDGE__PORT": "1", "HOME": "/root"}) == {
        "edge": {"port": "1"}
    }


def test_a_variable_goes_over_the_file_and_leaves_its_neighbours(tmp_path: Path) -> None:
    values = _read(
        tmp_path,
        '[endpoints.shop]\nprovider = "blockatm"\naccount = "a"',
        PAYROUTER_ENDPOINTS__SHOP__ACCOUNT="b",
    )

    assert values == {"endpoints": {"shop": {"provider": "blockatm", "account": "b"}}}


@pytest.mark.parametrize("name", ["shop-eu", "shop_eu", "Shop-EU"])
def test_a_variable_finds_a_name_with_a_dash_or_capitals(tmp_path: Path, name: str) -> None:
    values = _read(
        tmp_path, f"[endpoints.{name}]\naccount = 'a'", PAYROUTER_ENDPOINTS__SHOP_EU__ACCOUNT="b"
    )

    assert values == {"endpoints": {name: {"account": "b"}}}


def test_a_variable_makes_tables_that_are_not_there() -> None:
    values = read_sources(None, {"PAYROUTER_ENDPOINTS__SHOP_EU__SECRETS": _SECRET})

    assert values == {"endpoints": {"shop_eu": {"secrets": _SECRET}}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["one", "two"]', ["one", "two"]),
        ("[]", []),
        ("[one]", "[one]"),
        ("one,two", "one,two"),
        ("{}", "{}"),
        ("true", "true"),
        ("", ""),
    ],
)
def test_only_a_json_list_of_texts_is_read_as_a_list(text: str, value: object) -> None:
    assert read_sources(None, {"PAYROUTER_A__B": text}) == {"a": {"b": value}}


def test_a_list_of_invalid_json_is_refused_without_its_content() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_sources(None, {"PAYROUTER_ENDPOINTS__SHOP__SECRETS": f'["{_SECRET}"'})

    assert str(refused.value) == "PAYROUTER_ENDPOINTS__SHOP__SECRETS: a list is written as JSON"


def test_variables_that_locate_the_configuration_are_not_part_of_it() -> None:
    environ = {"PAYROUTER_CONFIG": "a", "PAYROUTER_DATA_DIR": "b", "XPAYROUTER_EDGE__PORT": "1"}

    assert read_sources(None, environ) == {}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("edge = 1", "PAYROUTER_EDGE__PORT"),
        ("[edge]\nport = 1", "PAYROUTER_EDGE__PORT__X"),
        ("[endpoints.shop]\nsecrets = []", "PAYROUTER_ENDPOINTS__SHOP__SECRETS__0"),
    ],
)
def test_a_variable_below_a_key_that_is_not_a_table_is_refused(
    tmp_path: Path, text: str, name: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: \w+ is not a table$"):
        _read(tmp_path, text, **{name: "1"})


@pytest.mark.parametrize(
    "text",
    [
        f'secrets = ["{_SECRET}',
        f"secrets = {_SECRET}",
        f'[endpoints.shop]\nsecrets = "{_SECRET}\n',
        f'a = 1\na = "{_SECRET}"',
        f'"{_SECRET}" = 1 (',
        f'["{_SECRET}(]',
        f'x = "\\q{_SECRET}"',
        f'x = """{_SECRET}',
    ],
)
def test_a_syntax_error_is_reported_by_its_place_without_the_text(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _read(tmp_path, text)

    line = str(refused.value)
    assert line.startswith(f"{tmp_path / 'payrouter.toml'} is not TOML: syntax error (at ")
    assert _SECRET not in line
    assert len(line.splitlines()) == 1
    assert refused.value.__cause__ is None


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "payrouter.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match=r"is not TOML: syntax error$"):
        read_sources(path, {})


@pytest.mark.parametrize(
    ("name", "why"), [("nothing.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / name

    with pytest.raises(ConfigurationError) as refused:
        read_sources(path, {})

    assert str(refused.value) == f"cannot read the configuration {path}: {why}"
