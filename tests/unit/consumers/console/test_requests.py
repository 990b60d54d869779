"""Parts of a request to the console: hosts, origins, next paths, times, cells, settings."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from consumers.console.app import refuse_open_console
from consumers.console.listing.exporting import csv_cell
from consumers.console.serving.headers import host_of, is_loopback, is_own_origin
from consumers.console.serving.sign_in import local_path
from consumers.console.web.form_fields import FormFields
from consumers.console.web.texts import read_texts
from consumers.console.web.times import time_element
from router.configuration.process_settings import ConsoleSettings
from router.configuration.settings import Settings
from router.errors import ConfigurationError

NOW = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("origin", "site", "own"),
    [
        ("http://console:9480", None, True),
        ("https://pay.example", None, True),
        ("http://console:9481", "same-origin", False),
        ("null", "same-origin", False),
        ("", "same-origin", False),
        ("http://console:9480.evil", None, False),
        ("http://evil/console:9480", None, False),
        (None, "same-origin", True),
        (None, "same-site", False),
        (None, "none", False),
        (None, None, False),
    ],
)
def test_only_forms_of_the_console_are_its_own(
    origin: str | None, site: str | None, *, own: bool
) -> None:
    assert is_own_origin(origin, site, "console:9480", "https://pay.example/console") is own


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/cases?kind=x", "/cases?kind=x"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nset-cookie: x", "/"),
        ("", "/"),
    ],
)
def test_path_after_sign_in_is_one_of_the_console(text: str, path: str) -> None:
    assert local_path(text) == path


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (Decimal("-0.10"), "-0.10"),
        (Decimal("1E+5"), "100000"),
        (-5, "-5"),
        (None, ""),
        (True, "true"),
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-x", "'-x"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("A-1", "A-1"),
        (NOW, "2026-11-30T20:00:00+00:00"),
    ],
)
def test_cell_is_exact_and_no_formula(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


def test_time_is_relative_with_the_exact_one_in_its_title() -> None:
    element = time_element(
        NOW - timedelta(hours=2, minutes=5), NOW, ZoneInfo("Europe/Berlin"), read_texts()["de"]
    )
    assert str(element) == (
        '<time datetime="2026-11-30T17:55:00+00:00" title="2026-11-30 18:55:00 CET">'
        "vor 2 Stunden</time>"
    )


def test_fields_keep_their_order_and_are_bounded() -> None:
    fields = FormFields.parsed("id=1&id=2&empty=&name=%20x%20")
    assert (fields.every("id"), fields.one("name"), fields.one("empty", "-")) == (
        ["1", "2"],
        "x",
        "-",
    )
    assert fields.changed({"id": None, "after": "a b"}).as_query == "?name=+x+&after=a+b"
    with pytest.raises(ValueError, match="fields"):
        FormFields.parsed("a=1&" * 3000)


@pytest.mark.parametrize(
    ("header", "host"), [("[::1]:9480", "::1"), ("A.example:1", "a.example"), ("[", "")]
)
def test_host_of_a_header_has_no_port(header: str, host: str) -> None:
    assert host_of(header) == host


def test_loopback_is_known_by_address_and_name() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.8.8.8", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "localhost.evil", "")))  # noqa: S104 - refused


def test_console_without_sign_in_listens_on_the_loopback_alone() -> None:
    open_to_all = Settings.model_validate({"console": {"host": "10.0.0.5"}})
    with pytest.raises(ConfigurationError, match="requires a way to sign in"):
        refuse_open_console(open_to_all)
    refuse_open_console(Settings())


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"users": {"a": {"password_hash": "secret"}}}, "payrouter console password"),
        ({"proxy_header": "X-User"}, "trusted_proxies: missing"),
        ({"proxy_groups_header": "X-Groups"}, "needs proxy_header"),
        ({"proxy_header": "X User", "trusted_proxies": ["10.0.0.1"]}, "name of a header"),
        ({"session_secret": "short"}, "at least 32"),
        ({"zone": "Mars/Olympus"}, "Europe/Berlin"),
        ({"oidc": {"issuer": "https://login", "client_id": "x"}}, "public_url: missing"),
    ],
)
def test_wrong_setting_names_what_is_right(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ConsoleSettings.model_validate(values)
    assert problem in str(refused.value)
    assert "secret" not in str(refused.value).replace("session_secret", "")
