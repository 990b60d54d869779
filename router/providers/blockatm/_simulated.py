"""Simulated BlockATM deliveries, for `payrouter send` and the tests."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from router.delivery import Delivery
from router.providers import Key, Simulation
from router.providers._signing import unix_ms_text, with_headers
from router.providers.blockatm._signature import EVENT_HEADER, SIGNATURE_HEADER, TIME_HEADER, sign

# There is no word for a failed payment, only the older number.
_STATUSES: Mapping[str, Mapping[str, str | int]] = {
    "payment": {
        "pending": "PENDING",
        "confirmed": "SUCCESS",
        "expired": "EXPIRED",
        "cancelled": "CANCELLED",
        "failed": -2,
    },
    "payout": {"confirmed": "SUCCESS", "failed": "REFUSE"},
}
_ON_CHAIN = frozenset({"pending", "confirmed"})

# Platform order numbers in the vendor's examples are of this size.
_FIRST_NUMBER = 8_210_000_000


def kinds() -> Mapping[str, Sequence[str]]:
    """Return the kinds of delivery that can be made, and the statuses of each."""
    return {kind: tuple(statuses) for kind, statuses in _STATUSES.items()}


def simulate(wanted: Simulation, key: Key, target: str) -> Delivery:
    """Make a genuine delivery, signed over its raw body at `wanted.at`."""
    members = _payment(wanted) if wanted.kind == "payment" else _payout(wanted)
    body = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    headers = (("content-type", "application/json"), (EVENT_HEADER, wanted.kind))
    made = Delivery("simulated", "simulated", "POST", target, headers, body, wanted.at)
    return signed(made, key)


def signed(delivery: Delivery, key: Key) -> Delivery:
    """Sign a delivery over its raw body, at its `received_at`."""
    time = unix_ms_text(delivery.received_at)
    signature = sign(key.secret, delivery.body, time)
    return with_headers(delivery, (SIGNATURE_HEADER, signature), (TIME_HEADER, time))


def _payment(wanted: Simulation) -> dict[str, object]:
    on_chain = wanted.status in _ON_CHAIN
    return {
        "custNo": "CustNo_00240101",
        "orderNo": wanted.order,
        **_transfer(wanted, on_chain=on_chain),
        # The amount paid, not the price.
        "amount": wanted.amount if on_chain else "0",
        "fromAddress": _address("payer", wanted) if on_chain else "",
        "cashierId": 86100021,
        "orderType": 1,
    }


def _payout(wanted: Simulation) -> dict[str, object]:
    return {
        "custNo": "CustNo_2022140101",
        "bizOrderNo": wanted.order,
        **_transfer(wanted, on_chain=wanted.status in _ON_CHAIN),
        "amount": wanted.amount,
        "fromAddress": _address("contract", wanted),
        "toAddress": _address("payee", wanted),
        "fee": "2",
        "gasAmount": "1",
        "type": 1,
        "createTime": int(unix_ms_text(wanted.at)),
        "contractId": 200910,
    }


def _transfer(wanted: Simulation, *, on_chain: bool) -> dict[str, object]:
    transaction = {
        "txId": f"0x{_digest('transaction', wanted)}",
        "blockTime": int(unix_ms_text(wanted.at)),
    }
    return {
        "id": _FIRST_NUMBER + wanted.number,
        "symbol": wanted.currency,
        "status": _STATUSES[wanted.kind][wanted.status],
        "network": "Ethereum",
        "chainId": "11155111" if wanted.test else "1",
        **(transaction if on_chain else {}),
    }


def _address(role: str, wanted: Simulation) -> str:
    return f"0x{_digest(role, wanted)[:40]}"


def _digest(role: str, wanted: Simulation) -> str:
    return hashlib.sha256(f"{wanted.kind} {role} {wanted.number}".encode()).hexdigest()
