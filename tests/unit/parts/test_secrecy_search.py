"""A secret is found in every form in which it was printed; other text is not reported."""

import base64
import json
from urllib.parse import quote

import pytest

from tests.parts.secrecy.recorder import PRIVATE_KEY, URL_TOKEN
from tests.parts.secrecy.search import Finding, Search, Source

SECRET = 'k7/+"Zq\\ü%9-mP w4'
PRINTED = Source("stderr", "tests/a.py::test_a")


def found(text: str, kind: str = "HMAC secret", secret: str = SECRET) -> list[Finding]:
    search = Search()
    search.add(kind, secret.encode())
    return list(search.within(PRINTED, text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps({"event": "a", "detail": SECRET}),
        json.dumps({"event": "a", "detail": SECRET}, ensure_ascii=False),
        f"ValueError({SECRET!r})",
        f"ValueError({SECRET.encode()!r})",
        quote(SECRET),
        quote(SECRET, safe=""),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"a:" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"user:" + SECRET.encode() + b"?").decode(),
    ],
)
@pytest.mark.parametrize("before", ["", "1", "12", "one line\nand"])
def test_a_secret_is_found_in_every_form_and_at_every_place(text: str, before: str) -> None:
    assert found(f"{before} {text} and more")


def test_finding_names_kind_place_and_test_and_does_not_repeat_the_secret() -> None:
    (finding,) = found(f"fine\nwrong key {SECRET}!")
    assert str(finding) == (
        "tests/a.py::test_a: HMAC secret as it is: stderr, line 2, behind 'wrong key '"
    )


def test_a_secret_in_a_command_line_or_before_another_is_not_repeated() -> None:
    search = Search()
    for secret in ("Hn73-vb-first", "Hn73-vb-second"):
        search.add("HMAC secret", secret.encode())
    source = Source("stderr", command=["send", "--secret", "Hn73-vb-first"])
    findings = list(search.within(source, b"Hn73-vb-first then Hn73-vb-second"))
    assert [str(finding).partition(": ")[0] for finding in findings] == [
        "no test, `send --secret ***`"
    ] * 2
    assert not any("Hn73" in str(finding) for finding in findings)


@pytest.mark.parametrize("secret", ["short", "00000000000", "abababababab"])
def test_what_is_short_or_plain_proves_nothing_and_is_counted(secret: str) -> None:
    search = Search()
    search.add("HMAC secret", secret.encode())
    assert (search.secrets, search.left_out) == (0, 1)
    assert not list(search.within(PRINTED, f"it is {secret}".encode()))


def test_of_a_database_url_the_password_is_secret_and_the_address_is_not() -> None:
    url = "postgresql+asyncpg://payrouter:p%40ss-w0rd@db.example:5432/payrouter"
    assert found("password p@ss-w0rd refused", "DatabaseSettings.url", url)
    assert found("password p%40ss-w0rd refused", "DatabaseSettings.url", url)
    assert not found("cannot read payrouter on db.example:5432/payrouter", "url", url)


def test_a_password_in_the_query_of_an_url_is_found() -> None:
    url = "postgresql://db.example/payrouter?user=a&password=Qx9-hidden"
    assert found("database db.example/payrouter?user=a&password=Qx9-hidden", "url", url)


def test_the_token_in_the_path_of_a_channels_url_is_found() -> None:
    url = "json://chat.example/hooks/T0ab12cd34ef"
    assert found("POST /hooks/T0ab12cd34ef failed", "channel URL", url)
    assert not found("POST chat.example/hooks failed", "channel URL", url)


def test_a_line_of_a_private_key_is_found() -> None:
    line = base64.b64encode(bytes(range(40, 88))).decode()
    key = f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"
    assert found(f"key: {line[:64]}", PRIVATE_KEY, key)
    assert not found("-----BEGIN PRIVATE KEY-----", PRIVATE_KEY, key)


def test_the_command_that_prints_an_url_may_print_its_token_but_no_other_secret() -> None:
    search = Search()
    search.add(URL_TOKEN, b"token-7Hd92kq1")
    search.add("HMAC secret", b"secret-7Hd92kq1")
    text = b"token-7Hd92kq1 secret-7Hd92kq1"

    def kinds(*command: str, stream: str = "stdout") -> list[str]:
        return [each.kind for each in search.within(Source(stream, "", command), text)]

    assert kinds("payrouter", "endpoint", "url", "shop") == ["HMAC secret"]
    assert kinds("payrouter", "endpoint", "url", "shop", stream="stderr") == [
        URL_TOKEN,
        "HMAC secret",
    ]
    assert kinds("payrouter", "verify", "shop") == [URL_TOKEN, "HMAC secret"]


def test_a_secret_is_named_by_its_setting_if_that_is_known() -> None:
    search = Search()
    for kind in ("SecretStr", "Settings.kafka.sasl_password"):
        search.add(kind, SECRET.encode())
    (finding,) = search.within(PRINTED, SECRET.encode())
    assert finding.kind == "Settings.kafka.sasl_password"
