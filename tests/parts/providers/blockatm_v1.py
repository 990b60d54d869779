"""Deliveries of BlockATM's version 1, signed here with a key of the tests."""

import base64
import json
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.providers import EndpointContext, Key
from router.providers.blockatm import PROVIDER, BlockATM, BlockATMOptions
from router.providers.blockatm._sorted_form import V1_LARGEST, sorted_form
from tests.parts.providers.blockatm_deliveries import KEY, TIME, delivery

PUBLISHED_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsjqDDEF5uuVoAFCxftskpMszLQMro888rFlrowcTzVibc4J2"
    "PgDywFZYXc6x21yHcenJ2bCZ/03XkMrbKqqEwA=="
)
"""The key printed in the vendor's sign-demo."""

_PRIVATE = ec.derive_private_key(0x5EED_0F_7E575, ec.SECP256R1())
TEST_KEY = base64.b64encode(
    _PRIVATE.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()

PAYMENT: Mapping[str, object] = {
    "platOrderNo": "8210000374",
    "orderNo": "A-1",
    "custNo": "CustNo_7",
    "amount": "13.410037",
    "fee": "2",
    "symbol": "USDT",
    "network": "TRON",
    "chainId": "5",
    "txId": "1t",
    "type": 1,
    "status": 1,
    "createTime": 1696947336603,
    "merchantId": 20,
    "walletAddress": "0xcd",
}
QR_PAYOUT: Mapping[str, object] = {
    "merchantId": 20,
    "custNo": "CustNo_7",
    "bizOrderNo": "B-1",
    "platOrderNo": "8210000375",
    "symbol": "USDT",
    "amount": "20.5",
    "fee": "1",
    "chainId": "5",
    "network": "TRON",
    "status": 2,
    "txId": "2t",
}
ROW: Mapping[str, object] = {
    "orderNo": "TX1",
    "symbol": "USDT",
    "toAddress": "0xef",
    "tokenAddress": "0x92",
    "amount": "1.00000000",
}
BATCH: Mapping[str, object] = {
    "merchantId": 20,
    "chainId": "1",
    "contractAddress": "0x57",
    "blockId": "10168195",
    "fromAddress": "0x8e",
    "network": "ETH",
    "txId": "0xa8",
    "status": 1,
    "detailList": [ROW, {**ROW, "orderNo": "TX2", "symbol": "USDC", "amount": 2}],
}


def v1_provider(*keys: str, webhook_keys: Sequence[Key] = (KEY,)) -> BlockATM:
    """Return the provider of an endpoint with these keys of version 1."""
    place = EndpointContext("blockatm-main", None, None, webhook_keys)
    return PROVIDER.configured(BlockATMOptions(v1_public_keys=keys or (TEST_KEY,)), place)


def v1_signature(message: bytes) -> str:
    """Sign with the key of the tests."""
    return base64.b64encode(_PRIVATE.sign(message, ec.ECDSA(hashes.SHA256()))).decode()


def v1_signed(body: bytes, *events: str) -> Delivery:
    """Make a genuine delivery."""
    message = f"{sorted_form(body, V1_LARGEST)}&time={TIME}".encode()
    headers = [("blockatm-signature-v1", v1_signature(message)), ("blockatm-request-time", TIME)]
    return delivery(body, *headers, *(("blockatm-event", event) for event in events))


def v1_verified(received: Delivery) -> VerifiedDelivery:
    """Verify with the key of the tests."""
    return v1_provider().verify(received, [KEY])


def v1_events(members: Mapping[str, object], *events: str) -> Sequence[Event]:
    """Sign, verify and normalize these members."""
    return PROVIDER.normalize(v1_verified(v1_signed(json.dumps(members).encode(), *events)))


def changed(members: Mapping[str, object], **changes: object) -> dict[str, object]:
    """Change some members; those changed to `...` are left out."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}
