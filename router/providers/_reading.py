"""Reads the fields of a verified body, and makes one event from them.

Nothing is guessed and nothing dropped silently. A field that decides (money,
currency, identity, type, status, order) and differs from its gateway's documentation
leads to quarantine, with a detail that names it. A field that only describes
becomes null instead, and the event names it in `unread`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, TypeVar

from pydantic import StringConstraints, ValidationError

from router.contract.amounts import AmountError, parse_amount, parse_signed_amount
from router.contract.event import DESCRIPTIVE, Customer, Event, EventType, event_id
from router.contract.fast.bodies import parse_object
from router.contract.fast.events import plain_event
from router.contract.fields import MAX_TEXT, STORABLE, is_storable
from router.contract.strict_json import JsonValue, StrictJsonError, type_name
from router.contract.wire import first_problem
from router.delivery import VerifiedDelivery
from router.errors import NotUnderstood, Reason, Unreadable
from router.providers._chains import on_test_chain

_T = TypeVar("_T")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_COUNT = re.compile(r"[0-9]{1,60}")
_SIGNED_COUNT = re.compile(r"-?[0-9]{1,60}")

Path = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
"""Path of a member: `payment.id` is `id` of the object `payment`."""

Descriptions = Mapping[str, Callable[[], object]]
"""Readers of the descriptive fields of an event, by their names in `DESCRIPTIVE`."""

# Chains with several names; a chain that is not here keeps the gateway's name.
_NETWORKS = {
    "ethereum": "Ethereum",
    "eth": "Ethereum",
    "erc20": "Ethereum",
    "tron": "TRON",
    "trx": "TRON",
    "trc20": "TRON",
    "bsc": "BSC",
    "bep20": "BSC",
}


def refused(reason: Reason, name: str, wanted: str) -> NotUnderstood:
    """Return an error that names the field and the expected value."""
    return NotUnderstood(reason, f"{name}: {wanted}")


def malformed(name: str, wanted: str) -> NotUnderstood:
    """Return an error for a field with the wrong form."""
    return refused(Reason.FIELD_MALFORMED, name, wanted)


def required(name: str, value: _T | None) -> _T:
    """Return the value of a required field. Raises NotUnderstood if it is missing."""
    if value is None:
        raise refused(Reason.FIELD_MISSING, name, "required")
    return value


def network_name(text: str | None) -> str | None:
    """Return the canonical name of a network."""
    return text and _NETWORKS.get(text.lower(), text)


def currency_name(text: str | None) -> str | None:
    """Return the canonical spelling of a currency."""
    return text and text.upper()


def as_text(name: str, value: JsonValue) -> str | None:
    """Read a value as text that a database accepts, None if it is absent."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise malformed(name, f"expected text, got {type_name(value)}")
    if not is_storable(value):
        raise malformed(name, f"expected {STORABLE}")
    if len(value) > MAX_TEXT:
        raise malformed(name, f"expected at most {MAX_TEXT} characters")
    return value


def as_identifier(name: str, value: JsonValue) -> str | None:
    """Read text that may be a whole number in JSON, because some gateways use only digits."""
    if not isinstance(value, Decimal):
        return as_text(name, value)
    text = str(value)
    if len(text) > MAX_TEXT or _WHOLE.fullmatch(text) is None:
        raise malformed(name, "expected text or a whole number")
    return text


def as_amount(name: str, value: JsonValue, minor_units: int = 0) -> Decimal | None:
    """Read an amount: text, a number, or a count of minor units."""
    counted = _counted(name, value, minor_units, _COUNT)
    return None if counted is None else representable(name, counted)


def as_fee(name: str, value: JsonValue, minor_units: int = 0) -> Decimal | None:
    """Read a fee like an amount; a negative fee is a rebate."""
    counted = _counted(name, value, minor_units, _SIGNED_COUNT)
    return None if counted is None else representable(name, counted, parse_signed_amount)


def _counted(
    name: str, value: JsonValue, minor_units: int, count: re.Pattern[str]
) -> str | Decimal | None:
    if value is None:
        return None
    if not isinstance(value, str | Decimal):
        raise malformed(name, f"expected an amount, got {type_name(value)}")
    if not minor_units:
        return value
    if count.fullmatch(str(value)) is None:
        raise malformed(name, "expected a whole number of minor units")
    return Decimal(f"{value}E-{minor_units}")


@dataclass(frozen=True)
class Fields:
    """Fields of a verified body, read with their required types.

    `look` returns a field by its name as parsed, None if it is absent. The empty text counts as
    absent.
    """

    look: Callable[[str], JsonValue]

    @classmethod
    def of(cls, verified: VerifiedDelivery) -> "Fields":
        """Parse a JSON body. Raises Unreadable.

        The name of a field is its path: `data.amount` is `amount` of the object `data`.
        """
        return cls(partial(_at_path, members_of(verified)))

    def value(self, name: str) -> JsonValue:
        """Return a field as parsed, None if it is absent."""
        value = self.look(name)
        return None if value == "" else value

    def has(self, name: str) -> bool:
        """Return whether a field is present."""
        return self.value(name) is not None

    def needed(self, name: str) -> str:
        """Read a text that must be present."""
        return required(name, self.text(name))

    def text(self, name: str) -> str | None:
        """Read a text."""
        value = self.look(name)
        if type(value) is str and value.isprintable() and 0 < len(value) <= MAX_TEXT:
            return value
        return as_text(name, None if value == "" else value)

    def identifier(self, name: str) -> str | None:
        """Read a text that may be a whole number in JSON, because some gateways use only digits."""
        return as_identifier(name, self.value(name))

    def amount(self, name: str, minor_units: int = 0) -> Decimal | None:
        """Read an amount: text, a number, or a count of minor units."""
        return as_amount(name, self.value(name), minor_units)

    def fee(self, name: str, minor_units: int = 0) -> Decimal | None:
        """Read a fee like an amount; a negative fee is a rebate."""
        return as_fee(name, self.value(name), minor_units)

    def flag(self, name: str) -> bool | None:
        """Read true or false; no other value counts as either."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        raise malformed(name, f"expected true or false, got {type_name(value)}")

    def moment(self, name: str, read: Callable[[str], datetime]) -> datetime | None:
        """Read a time with one of the readers of `router.providers._signing`."""
        text = self.identifier(name)
        try:
            return None if text is None else read(text)
        except ValueError as error:
            raise malformed(name, f"expected {error}") from None


def members_of(verified: VerifiedDelivery) -> Mapping[str, JsonValue]:
    """Parse a JSON body. Raises Unreadable."""
    try:
        return parse_object(verified.delivery.body)
    except StrictJsonError as error:
        raise Unreadable(Reason.NOT_PARSEABLE, str(error)) from None


def _at_path(members: Mapping[str, JsonValue], path: str) -> JsonValue:
    if "." not in path:
        return members.get(path)
    value: JsonValue = members
    *outer, last = path.split(".")
    for depth, name in enumerate(outer, start=1):
        value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            return None
        if not isinstance(value, Mapping):
            place = ".".join(outer[:depth])
            raise malformed(place, f"expected an object, got {type_name(value)}")
    return value.get(last) if isinstance(value, Mapping) else None


def representable(
    name: str, value: str | Decimal, parse: Callable[[object], Decimal] = parse_amount
) -> Decimal:
    """Read an amount. Raises NotUnderstood if the contract cannot represent it."""
    try:
        return parse(value)
    except AmountError as error:
        raise refused(Reason.AMOUNT_UNREPRESENTABLE, name, str(error)) from None


def happening(
    verified: VerifiedDelivery,
    provider: str,
    happened: EventType,
    identity: Sequence[str],
    facts: Mapping[str, object],
    described: Descriptions | None = None,
) -> Event:
    """Make the one event of a delivery.

    `identity` is the gateway's own of this state change. `facts` decide and
    have been read. `described` are read here: a field that cannot be read is named in
    `unread` and stops nothing. `facts["test"]` is what the gateway reports about the
    money, if anything; a test chain counts in any case.
    """
    delivery = verified.delivery
    told, unread = _read(described or {})
    known = {**facts, **told}
    given = {
        "id": event_id(provider, delivery.account, *identity),
        "type": happened,
        "provider": provider,
        "endpoint": delivery.endpoint,
        "account": delivery.account,
        "received_at": delivery.received_at,
        "verification": verified.verification,
        "raw": verified.raw(),
        **known,
        "test": _is_test(known),
        "unread": unread,
    }
    try:
        return plain_event(given) or Event.model_validate(given)
    except ValidationError as error:
        raise NotUnderstood(Reason.FIELD_MALFORMED, first_problem(error)) from None


def _read(described: Descriptions) -> tuple[dict[str, object], tuple[str, ...]]:
    """Read each field separately; return the readable ones, and the names of the others."""
    told: dict[str, object] = {}
    unread = []
    for name in DESCRIPTIVE:
        read = described.get(name)
        if read is None:
            continue
        try:
            told[name] = read()
        except NotUnderstood:
            unread.append(name)
    told["customer"] = _customer(told)
    return told, tuple(unread)


def _customer(told: dict[str, object]) -> Customer:
    """Return the payer, taken from these facts."""
    facts = {fact: told.pop(name, None) for name, fact in _PAYER}
    if [*facts.values()] == _NO_FACTS:
        return _nobody()
    return Customer.model_validate(facts)


_PAYER = tuple((f"customer.{name}", name) for name in Customer.model_fields)
_NO_FACTS = [None for _ in _PAYER]


@cache
def _nobody() -> Customer:
    return Customer.model_validate(dict.fromkeys(Customer.model_fields))


def _is_test(known: Mapping[str, object]) -> bool | None:
    """Combine the gateway's report with its chain: test money by either is test money."""
    chain_id, network = known.get("chain_id"), known.get("network")
    words = (
        known.get("test"),
        on_test_chain(
            chain_id if isinstance(chain_id, str) else None,
            network if isinstance(network, str) else None,
        ),
    )
    return True if True in words else False if False in words else None
