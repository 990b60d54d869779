"""`payrouter send` simulates a gateway: genuine unless tampered with, byte for byte, over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from router.contract.event import EventType
from router.delivery import Delivery
from router.edge.intake import Endpoint
from router.errors import ConfigurationError, Reason, RefusedDelivery
from router.evaluation.send import (
    TAMPERS,
    Answered,
    Sent,
    SimulatedOrder,
    as_gateway,
    check_amount,
    orders,
    post,
    simulate,
)
from router.providers import discover
from tests.conformance.kit import side as kit_side
from tests.parts.providers.blockatm_deliveries import KEY
from tests.parts.providers.blockbee_deliveries import SECRETS, TOKEN, bee, private_pem

SHOP = Endpoint("shop", "shop-eu", discover()["blockatm"], [KEY], timedelta(hours=27), 2.5)
PAID = SimulatedOrder("payment.confirmed", "A-1", "100.50", "USDT")
KINDS = [f"{kind}.{status}" for kind, known in SHOP.provider.kinds.items() for status in known]


class Gateway(BaseHTTPRequestHandler):
    """Records the requests it receives."""

    seen: list[tuple[str, str, list[tuple[str, str]], bytes]]

    def do_POST(self) -> None:
        """Answer 202 with two words, or with bytes that are not HTTP."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append((self.command, self.path, list(self.headers.items()), body))
        if self.path.endswith("/nonsense"):
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        self.send_response(202)
        self.send_header("content-length", "9")
        self.end_headers()
        self.wfile.write(b"thank you")

    do_GET = do_POST  # noqa: N815 - http.server's name

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a server that records the requests it receives."""
    monkeypatch.setattr(Gateway, "seen", [], raising=False)
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", [word.value for word in EventType])
def test_a_mapped_gateway_can_simulate_every_type_of_the_contract(kind: str) -> None:
    endpoint = kit_side("standard_webhooks").endpoint
    delivery = simulate(endpoint, SimulatedOrder(kind, "A-1", "100.50", "USDT"))

    (event,) = endpoint.provider.normalize(endpoint.provider.verify(delivery, endpoint.keys))
    assert (event.type, event.reference) == (kind, "A-1")


@pytest.mark.parametrize("kind", KINDS)
def test_every_simulated_delivery_is_genuine_and_understood(kind: str) -> None:
    order = SimulatedOrder(kind, "A-1", "100.50", "USDT")
    delivery = simulate(SHOP, order)
    assert (delivery.endpoint, delivery.account) == ("shop", "shop-eu")
    (event,) = SHOP.provider.normalize(SHOP.provider.verify(delivery, SHOP.keys))
    assert (str(event.type), event.reference) == (kind, "A-1")


def test_a_test_endpoint_is_sent_test_money() -> None:
    made = simulate(replace(SHOP, mode="test"), PAID)

    (event,) = SHOP.provider.normalize(SHOP.provider.verify(made, SHOP.keys))
    assert (event.test, event.chain_id) == (True, "11155111")


def test_the_same_order_is_the_same_payment_and_a_payout_is_another() -> None:
    payout = SimulatedOrder("payout.confirmed", "A-1", "100.50", "USDT")
    pending = SimulatedOrder("payment.pending", "A-1", "100.50", "USDT")
    assert PAID.number == pending.number
    assert PAID.number != payout.number


def test_a_kind_without_a_status_is_a_confirmed_one() -> None:
    assert SimulatedOrder("payout", "A-1", "1", "USDT").status == "confirmed"


@pytest.mark.parametrize("kind", ["payment.refunded", "subscription.renewed", "", "payment.pend"])
def test_unsupported_type_is_refused_with_the_supported_ones(kind: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--type: blockatm sends .*payment\.confirmed"):
        simulate(SHOP, SimulatedOrder(kind, "A-1", "1", "USDT"))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("body", Reason.SIGNATURE_WRONG),
        ("key", Reason.SIGNATURE_WRONG),
        ("headers", Reason.SIGNATURE_MISSING),
    ],
)
def test_tampered_delivery_is_not_genuine(how: str, reason: Reason) -> None:
    with pytest.raises(RefusedDelivery) as refused:
        SHOP.provider.verify(TAMPERS[how](SHOP, PAID), SHOP.keys)
    assert refused.value.reason is reason


def test_tampered_time_is_genuine_but_outside_every_window() -> None:
    verified = SHOP.provider.verify(TAMPERS["time"](SHOP, PAID), SHOP.keys)
    assert verified.signed_at is not None
    assert datetime.now(UTC) - verified.signed_at > timedelta(days=29)


def test_tampered_body_differs_in_one_bit() -> None:
    at = datetime.now(UTC)
    genuine, spoiled = simulate(SHOP, PAID, at).body, TAMPERS["body"](SHOP, PAID).body
    assert len(genuine) == len(spoiled)
    assert genuine != spoiled


def test_a_delivery_arrives_header_for_header_and_byte_for_byte(gateway: str) -> None:
    delivery = simulate(SHOP, PAID)
    answered = post(gateway, delivery)
    assert answered == Answered(202, b"thank you")
    assert answered.kept
    ((method, path, headers, body),) = Gateway.seen
    assert (method, path, body) == ("POST", "/webhooks/shop", delivery.body)
    assert [pair for pair in headers if pair[0] not in {"Host", "content-length"}] == list(
        delivery.headers
    )


def test_a_url_token_follows_the_endpoint(gateway: str) -> None:
    guarded = replace(SHOP, has_token=True)
    post(gateway, simulate(guarded, PAID), "aVeryLong-URL_token")
    assert Gateway.seen[0][1] == "/webhooks/shop/aVeryLong-URL_token"


def test_malformed_answer_is_an_os_error(gateway: str) -> None:
    with pytest.raises(OSError, match="BadStatusLine"):
        post(gateway, simulate(replace(SHOP, has_token=True), PAID), "nonsense")


def test_refused_connection_is_an_os_error() -> None:
    with pytest.raises(ConnectionRefusedError):
        post("http://127.0.0.1:1", simulate(SHOP, PAID))


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://host", "http://", "http://host:99999", "http://host:x", ""]
)
def test_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--url: expected http://host:port, not .*$"):
        post(url, simulate(SHOP, PAID))


@pytest.mark.parametrize(
    "amount", ["abc", "-1", "1,50", "NaN", "", "1e400", "0.0000000000000000001"]
)
def test_an_amount_no_gateway_sends_is_refused(amount: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--amount: an amount"):
        check_amount(amount)


@pytest.mark.parametrize("amount", ["100.50", "0", "7", "0.000000000000000001"])
def test_an_amount_is_plain_digits(amount: str) -> None:
    check_amount(amount)


def test_one_order_keeps_its_reference_and_several_are_numbered() -> None:
    assert orders(PAID, 1) == [PAID]
    assert [order.reference for order in orders(PAID, 3)] == ["A-1-1", "A-1-2", "A-1-3"]


@pytest.mark.parametrize(
    ("status", "tamper", "as_expected"),
    [(200, None, True), (401, None, False), (401, "body", True), (200, "body", False)],
)
def test_expected_answer_is_success_if_genuine_and_refusal_if_tampered(
    status: int, tamper: str | None, *, as_expected: bool
) -> None:
    sent = Sent(PAID, "shop", tamper, Answered(status, b"word\n"))
    assert sent.as_expected is as_expected
    assert f"to shop, answered {status} word" in str(sent)
    assert ("NOT REFUSED" in str(sent)) is (status == 200 and tamper is not None)


def test_json_has_all_fields_and_amounts_as_text() -> None:
    sent = Sent(PAID, "shop", None, Answered(200, b"OK"))
    assert json.loads(json.dumps(sent.as_json())) == {
        "endpoint": "shop",
        "type": "payment.confirmed",
        "order": "A-1",
        "amount": "100.50",
        "currency": "USDT",
        "tamper": None,
        "status": 200,
        "answer": "OK",
    }


def test_every_tamper_option_is_tested() -> None:
    assert set(TAMPERS) == {"body", "key", "headers", "time"}
    assert all(isinstance(make(SHOP, PAID), Delivery) for make in TAMPERS.values())


BEE = as_gateway(
    Endpoint("bee", "shop-eu", bee(), SECRETS, None, 2.5, has_token=True), private_pem()
)


def test_gateway_is_simulated_with_its_private_key() -> None:
    delivery = simulate(BEE, PAID)

    assert delivery.method == "GET"
    assert BEE.provider.verify(delivery, []).verification.scheme == "blockbee-get"
    assert as_gateway(SHOP, None) is SHOP


@pytest.mark.parametrize("variant", ["custom-get", "custom-form", "checkout-json"])
@pytest.mark.parametrize("tamper", ["body", "key", "headers"])
def test_tampered_form_is_refused_in_every_variant(variant: str, tamper: str) -> None:
    with pytest.raises(RefusedDelivery) as refused:
        BEE.provider.verify(TAMPERS[tamper](BEE, replace(PAID, variant=variant)), [])

    assert refused.value.reason in {Reason.SIGNATURE_WRONG, Reason.SIGNATURE_MISSING}


def test_unsigned_time_cannot_be_tampered_with() -> None:
    with pytest.raises(ConfigurationError, match="blockbee signs no time"):
        TAMPERS["time"](BEE, PAID)


@pytest.mark.parametrize(
    ("endpoint", "variant", "forms"),
    [(SHOP, "json", "one form only"), (BEE, "payout-get", "custom-get, custom-form, custom-json")],
)
def test_unknown_variant_is_refused_with_the_known_ones(
    endpoint: Endpoint, variant: str, forms: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^--variant: .* as {forms}"):
        simulate(endpoint, replace(PAID, variant=variant))


def test_simulation_without_any_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="this endpoint has no key with which blockbee"):
        simulate(replace(BEE, keys=[]), PAID)


def test_a_get_is_sent_with_its_query_and_its_token(gateway: str) -> None:
    post(gateway, simulate(BEE, PAID), TOKEN)

    ((method, path, _, body),) = Gateway.seen
    assert (method, body) == ("GET", b"")
    assert path.startswith(f"/webhooks/bee/{TOKEN}?order_id=A-1&order_id_mac=")
