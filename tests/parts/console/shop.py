"""The configuration of a shop whose people use the console, and deliveries of its gateways."""

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Final

from tests.parts.edge.blockatm_requests import webhook
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.providers.deliveries import hex_hmac

EU: Final = "shop-eu"
US: Final = "shop-us"
TRIAL: Final = "shop-trial"
TRIAL_ENDPOINT: Final = "trial"
ODD: Final = "shop-odd"
"""The account whose orders attack a page that shows them."""

SECRETS: Final[Mapping[str, str]] = {
    "atm-eu": "sck_the-secret-of-the-shop-in-europe",
    "atm-us": "sck_the-secret-of-the-shop-in-america",
    "atm-odd": "sck_the-secret-of-the-shop-with-odd-orders",
    "trial": "a-secret-for-test-money-of-the-shop",
    "acme": "a-secret-that-acme-pay-signs-with",
}
TOKEN: Final = "token-of-the-endpoint-trial"
"""Last part of the URL of the endpoint `trial`."""

_ENDPOINTS: Final = """
[endpoints.atm-eu]
provider = "blockatm"
account = "shop-eu"
secrets = ["{atm-eu}"]

[endpoints.atm-us]
provider = "blockatm"
account = "shop-us"
secrets = ["{atm-us}"]

[endpoints.atm-odd]
provider = "blockatm"
account = "shop-odd"
secrets = ["{atm-odd}"]

[endpoints.trial]
provider = "generic_hmac"
account = "shop-trial"
mode = "test"
secrets = ["{trial}"]
token = "{token}"
[endpoints.trial.mapping]
gateway = "acme"
event = "what"
events = {{ paid = "payment.confirmed", waiting = "payment.pending" }}
fields = {{ reference = "order", provider_reference = "id", amount = "sum", currency = "coin" }}

[endpoints.acme]
provider = "generic_hmac"
account = "shop-eu"
secrets = ["{acme}"]
[endpoints.acme.mapping]
gateway = "acme"
event = "what"
events = {events}
fields = {{ reference = "order", provider_reference = "id", amount = "sum", currency = "coin" }}
"""
_KNOWN: Final = '{ paid = "payment.confirmed" }'
_KNOWN_LATER: Final = '{ paid = "payment.confirmed", settled = "payment.confirmed" }'

_CONSUMERS: Final = """
[consumers.inventory]
brake_after = 3

[[consumers.notifications.rules]]
on = ["payment.*"]
to = "customer"
channels = ["log"]

[[consumers.notifications.rules]]
on = ["payment.refunded", "payment.confirmed"]
to = "operators"
channels = ["hook"]

[consumers.notifications.channels.hook]
url = "json://127.0.0.1:9/hook"
attempts = 1
"""


def configuration(*, knows_settled: bool) -> str:
    """Return the shop's configuration, before or after it learned acme's word `settled`."""
    events = _KNOWN_LATER if knows_settled else _KNOWN
    return _ENDPOINTS.format_map({**SECRETS, "token": TOKEN, "events": events}) + _CONSUMERS


def pay(port: int, order: str, amount: str, endpoint: str = "atm-eu", **changes: object) -> int:
    """Deliver a genuine payment of BlockATM in USDT; return the status of the answer."""
    number = zlib.crc32(f"{endpoint} {order} {amount}".encode())
    facts = {"orderNo": order, "id": number, "amount": amount, "txId": f"0x{number:x}"}
    body = body_of(PAYMENT, **facts, **changes)
    now = str(int(datetime.now(UTC).timestamp() * 1000))
    made = webhook(body, time=now, secret=SECRETS[endpoint].encode())
    return post(port, f"/webhooks/{endpoint}", made.body, dict(made.headers))


def acme(port: int, what: str, order: str, amount: str) -> int:
    """Deliver a genuine message of Acme Pay in EUR; return the status of the answer."""
    body = json.dumps(
        {"what": what, "order": order, "id": f"acme-{order}", "sum": amount, "coin": "EUR"}
    ).encode()
    signature = hex_hmac(SECRETS["acme"].encode(), body)
    headers = {"content-type": "application/json", "x-signature": signature}
    return post(port, "/webhooks/acme", body, headers)


def post(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post a request to the edge and return the status of its answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
