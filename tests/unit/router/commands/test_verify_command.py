"""`payrouter verify` explains why a request does not verify, and prints no secret."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from router.delivery import Delivery
from tests.parts.edge.edge_command import Command, Said, command, configured
from tests.parts.providers.blockatm_deliveries import KEY, PAYMENT, TIME, body_of, signed
from tests.parts.providers.blockbee_deliveries import CONFIRMED, ORIGIN, got, posted, public_pem
from tests.parts.providers.blockbee_deliveries import TOKEN as BEE_TOKEN

_SECRET = KEY.secret.decode()
_OLD = "another-secret-0123456789"
_CONFIGURATION = f"""
[edge]
public_url = "{ORIGIN}"
[endpoints.shop]
provider = "blockatm"
secrets = ["{_OLD}", "{_SECRET}"]
[endpoints.narrow]
provider = "blockatm"
account = "shop"
secrets = ["{_SECRET}"]
tolerance_seconds = 300
[endpoints.bee]
provider = "blockbee"
token = "{BEE_TOKEN}"
public_keys = [\"\"\"{{key}}\"\"\"]
"""
_GENUINE = signed(body_of(PAYMENT), "payment")
_AT = "2025-03-27T07:24:30Z"


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command with a configuration in its folder."""
    monkeypatch.chdir(tmp_path)
    configured(_CONFIGURATION.replace("{key}", public_pem()))
    return command(monkeypatch, capsys)


def _written(delivery: Delivery, end: bytes = b"") -> str:
    target = delivery.target.replace("{token}", BEE_TOKEN).replace("blockatm-main", "shop")
    lines = [f"{delivery.method} {target} HTTP/1.1", "Host: pay.example.com"]
    lines += [f"{name}: {value}" for name, value in delivery.headers]
    head = "\r\n".join(lines) + "\r\n\r\n"
    Path("request.http").write_bytes(head.encode() + delivery.body + end)
    return "request.http"


def _steps(said: Said) -> Mapping[str, Sequence[tuple[str, bool | None]]]:
    found: dict[str, list[tuple[str, bool | None]]] = {}
    for step in said.json["steps"]:
        found.setdefault(step["what"], []).append((step["found"], step["good"]))
    return found


def _verify(payrouter: Command, delivery: Delivery, *options: str, end: bytes = b"") -> Said:
    provider = "blockbee" if "bee" in delivery.endpoint else "blockatm"
    said = payrouter("verify", provider, "--file", _written(delivery, end), *options)
    for hidden in (_SECRET, _OLD, BEE_TOKEN):
        assert hidden not in said.out + said.err
    return said


def test_a_genuine_request_is_explained_from_its_bytes_to_its_event(payrouter: Command) -> None:
    said = _verify(payrouter, _GENUINE, "--at", _AT, "--json")
    steps = _steps(said)
    message = _GENUINE.body + b"&time=" + TIME.encode()

    assert (said.status, said.json["verified"]) == (0, True)
    assert steps["header blockatm-request-time"] == [(TIME, True)]
    (form,) = steps["form blockatm-v2-raw"]
    assert f"{len(message)} bytes, SHA-256 {hashlib.sha256(message).hexdigest()}: " in form[0]
    assert "&time=1743060268000" in form[0]
    assert steps["signature"][0][1] is True
    assert "2 s before" in steps["time"][0][0]
    assert steps["meaning"][0][0].startswith("payment.confirmed 13.410037 USDT of order A-1, event")


def test_keys_are_named_by_fingerprint_and_the_old_one_does_not_verify(payrouter: Command) -> None:
    steps = _steps(_verify(payrouter, _GENUINE, "--at", _AT, "--json"))
    keys = [what for what in steps if what.startswith("key ")]

    assert [steps[key][0][1] for key in keys] == [None, True]
    assert steps["keys"][0][0].count("fp:") == 2


def test_only_the_beginning_of_an_expected_signature_is_printed(payrouter: Command) -> None:
    forged = signed(body_of(PAYMENT).replace(b"13.4", b"93.4"), "payment", message=b"other")
    message = forged.body + b"&time=" + TIME.encode()
    said = _verify(payrouter, forged, "--at", _AT)

    assert said.status == 1
    for secret in (_SECRET, _OLD):
        expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
        assert f"would begin {expected[:8]}…" in said.out
        assert expected[:9] not in said.out
    assert "would NOT be accepted by endpoint shop" in said.out


@pytest.mark.parametrize(
    ("end", "hint"),
    [
        (b"\n", "without the line end after the body"),
        (b"\r\n", "without the line end after the body"),
    ],
)
def test_a_body_with_an_extra_line_end_is_detected(
    payrouter: Command, end: bytes, hint: str
) -> None:
    # The sorted form does not see blanks: only a raw signature is spoilt by them.
    said = _verify(payrouter, _as_text(_GENUINE), "--at", _AT, "--json", end=end)

    assert said.status == 1
    assert _steps(said)["hint"][0][0].startswith(hint)


def _as_text(delivery: Delivery) -> Delivery:
    body = b"not JSON"
    headers = signed(body).headers
    return replace(delivery, body=body, headers=headers)


def test_a_reformatted_body_is_detected(payrouter: Command) -> None:
    delivery = posted(CONFIRMED, media="application/json")
    compact = replace(delivery, body=delivery.body.replace(b": ", b":").replace(b", ", b","))
    said = _verify(payrouter, compact, "--json")

    assert said.status == 1
    assert "as JSON with spaces it would verify" in _steps(said)["hint"][0][0]


def test_the_window_counts_at_the_time_given(payrouter: Command) -> None:
    fresh = _verify(payrouter, _GENUINE, "--endpoint", "narrow", "--at", _AT, "--json")
    stale = _verify(payrouter, _GENUINE, "--endpoint", "narrow", "--at", "1743070000000", "--json")

    assert (fresh.status, stale.status) == (0, 1)
    assert "signed 9732 s ago, window 300 s" in _steps(stale)["time"][0][0]
    assert _steps(fresh)["request"][0][1] is False
    assert "the edge would answer 404" in _steps(fresh)["request"][0][0]


@pytest.mark.parametrize("delivery", [got(CONFIRMED, "order_id=A-1"), posted(CONFIRMED)])
def test_a_request_under_a_public_key_hides_the_token(
    payrouter: Command, delivery: Delivery
) -> None:
    said = _verify(payrouter, delivery, "--json")

    assert said.status == 0
    assert "(public)" in _steps(said)["keys"][0][0]
    assert _steps(said)["request"][0][1] is True
    assert "none is signed" in _steps(said)["time"][0][0]


def test_missing_and_repeated_headers_are_reported(payrouter: Command) -> None:
    bare = _verify(payrouter, replace(_GENUINE, headers=()), "--json")
    twice = _verify(payrouter, replace(_GENUINE, headers=_GENUINE.headers * 2), "--json")

    assert _steps(bare)["header blockatm-signature-v2"] == [("missing", False)]
    assert _steps(twice)["header blockatm-signature-v2"] == [("occurs 2 times", False)]


def test_terminal_controls_are_escaped(payrouter: Command) -> None:
    body = "{\x1b[2J\x9b".encode()
    said = _verify(payrouter, replace(_GENUINE, body=body), "--at", _AT)

    assert "\x1b" not in said.out
    assert "\x9b" not in said.out
    assert "[2J" in said.out


def test_a_request_for_quarantine_is_reported(payrouter: Command) -> None:
    said = _verify(payrouter, signed(body_of(PAYMENT, status="PAID")), "--at", _AT, "--json")

    assert said.status == 0
    assert _steps(said)["meaning"][0][0].startswith("quarantine, unknown_status: status: expected")


def test_test_money_at_a_live_endpoint_would_be_quarantined(payrouter: Command) -> None:
    said = _verify(payrouter, signed(body_of(PAYMENT, chainId="97")), "--at", _AT, "--json")

    assert _steps(said)["meaning"][0][0].startswith("quarantine, test_money: test money at a live")


def test_an_unreadable_field_is_named(payrouter: Command) -> None:
    said = _verify(payrouter, signed(body_of(PAYMENT, txId=5)), "--at", _AT, "--json")

    assert _steps(said)["meaning"][0][0].endswith(", unread: tx_hash")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--at", "yesterday"), "--at: expected a time"),
        (("--endpoint", "bee"), "--endpoint: there is no endpoint bee of blockatm"),
    ],
)
def test_wrong_usage_is_one_line(payrouter: Command, arguments: tuple[str, ...], line: str) -> None:
    said = _verify(payrouter, _GENUINE, *arguments)

    assert said.status == 2
    assert said.err.startswith(f"payrouter: {line}")


def test_unknown_provider_is_wrong_usage_and_the_known_ones_are_named(payrouter: Command) -> None:
    Path("request.txt").write_bytes(b"")

    said = payrouter("verify", "blokatm", "--file", "request.txt")

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("payrouter: there is no provider blokatm; there are blockatm, ")


def test_a_file_without_a_request_is_wrong_usage(payrouter: Command) -> None:
    Path("body.json").write_bytes(b"{}")

    said = payrouter("verify", "blockatm", "--file", "body.json")

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("payrouter: --file: expected a request line")
