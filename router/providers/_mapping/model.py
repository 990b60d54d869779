"""The keys of `[….mapping]`."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from router.contract.event import EventType
from router.contract.fields import Text
from router.providers import OPTIONS, TextList
from router.providers._mapping.conditions import Conditions
from router.providers._mapping.minor_units import DecimalsTable
from router.providers._mapping.rows import (
    EventRows,
    FieldPaths,
    Fixed,
    MappedEvent,
    mapped_events,
)
from router.providers._reading import Path, currency_name
from router.providers._signing import TimeUnit

BY_CURRENCY: Final = "by currency"
MOST_DECIMALS: Final = 18

Gateway = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
HeaderName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=100)
]
Decimals = Annotated[int, Field(ge=0, le=MOST_DECIMALS)]


def _minor_units(value: object) -> object:
    """Read the setting; an environment variable holds a number as text."""
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    whole = isinstance(number, int) and not isinstance(number, bool)
    if number == BY_CURRENCY or (whole and number in range(MOST_DECIMALS + 1)):
        return number
    message = f'expected 0 to {MOST_DECIMALS}, or "{BY_CURRENCY}"'
    raise ValueError(message)


class BodyMapping(BaseModel):
    """`[endpoints.NAME.mapping]`: meaning of the words and fields of one gateway.

    `docs/gateways/mapping.md` explains it with worked examples.
    """

    model_config = OPTIONS

    gateway: Gateway = Field(
        description="Name of the gateway in events and books. Two gateways of one account need two"
        " names, or their payments would be confused.",
        examples=["acme"],
    )
    event: Path | None = Field(
        None, description="Path of the word for what happened.", examples=["type"]
    )
    event_header: HeaderName | None = Field(
        None,
        description="Header that has the word for what happened, instead of `event`.",
        examples=["X-Event"],
    )
    events: dict[str, EventRows] = Field(
        min_length=1,
        description='Meaning of each word: a type such as `"payment.confirmed"`, `"ignore"`, a'
        " table, or a list of tables.",
        examples=[{"payment.updated": {"type": "payment.confirmed"}}],
    )
    status: Path | None = Field(
        None,
        description="Path of a second word, which must agree with the first.",
        examples=["payment.status"],
    )
    statuses: dict[str, EventType] = Field(
        default_factory=dict,
        description="Meaning of each second word.",
        examples=[{"CONFIRMED": "payment.confirmed"}],
    )
    only_if: Conditions | None = Field(
        None,
        description="Conditions of every delivery; one that does not fulfil them goes to"
        " quarantine.",
        examples=[{"merchant.id": ["m-1", "m-2"]}],
    )
    test_if: Conditions | None = Field(
        None, description="Conditions that mark test money.", examples=[{"livemode": False}]
    )
    live_if: Conditions | None = Field(
        None, description="Conditions that mark real money.", examples=[{"livemode": True}]
    )
    identity: TextList = Field(
        (),
        description="Paths that identify one change of state. Default: payment, words, movement"
        " and amounts.",
        examples=[["payment.id", "type"]],
    )
    minor_units: Annotated[
        int | Literal["by currency"],
        BeforeValidator(_minor_units, json_schema_input_type=Decimals | Literal["by currency"]),
    ] = Field(
        0,
        description='Decimals of the unit of amounts; 0 is the main unit, and "by currency" that'
        " of ISO 4217 or of the coin.",
        examples=["by currency"],
    )
    decimals: dict[str, Decimals | dict[str, Decimals]] = Field(
        default_factory=dict,
        description="Decimals of a currency, or of a currency by network; they precede the"
        " built-in ones.",
        examples=[{"ISK": 2, "USDT": {"tron": 6, "bsc": 18}}],
    )
    currencies: dict[str, Text] = Field(
        default_factory=dict,
        description="Currency that a word means. Default: the word in capitals.",
        examples=[{"BTC-CHAIN": "BTC"}],
    )
    occurred_at_unit: TimeUnit = Field(
        "iso", description="How `fields.occurred_at` is written, as for a signed time."
    )
    fields: FieldPaths = Field(FieldPaths(), description="Paths of the facts in the body.")
    fixed: Fixed = Field(Fixed(), description="Facts that are never in the body.")

    @cached_property
    def meanings(self) -> Mapping[str, tuple[MappedEvent, ...]]:
        """The meanings of each word."""
        return mapped_events(self.events, self.fields)

    @cached_property
    def decimals_table(self) -> DecimalsTable:
        """The decimals of each currency."""
        return DecimalsTable({code.upper(): own for code, own in self.decimals.items()})

    @cached_property
    def header(self) -> str | None:
        """The header with the event's name, in lower case."""
        return None if self.event_header is None else self.event_header.lower()

    def currency(self, word: str | None) -> str | None:
        """Return the currency that the gateway means by a word."""
        return currency_name(self.currencies.get(word, word) if word is not None else None)

    def every_meaning(self) -> Iterator[MappedEvent]:
        """Yield all meanings of all words, in order."""
        for rows in self.meanings.values():
            yield from rows

    @property
    def ignored(self) -> tuple[str, ...]:
        """The words that mean, in some cases or in all, an event to ignore."""
        return tuple(
            word for word, rows in self.meanings.items() if any(row.type is None for row in rows)
        )

    def kinds(self) -> Mapping[str, tuple[str, ...]]:
        """Return the kinds and statuses that `simulate` can make."""
        kinds: dict[str, dict[str, None]] = {}
        for row in self.every_meaning():
            if row.type is not None:
                kinds.setdefault(row.type.family, {})[row.type.status] = None
        return {kind: tuple(statuses) for kind, statuses in kinds.items()}
