"""The rooms of the code: each folder with one purpose, and what it may import.

A module belongs to the room with the longest matching name. `router` and `consumers.runtime` are
not rooms themselves: their few top modules are, each on its own.
"""

from collections.abc import Mapping
from typing import Final

from tests.parts.source import Module

_LANGUAGE: Final = ("router.contract",)
_FLOOR: Final = ("router.contract", "router.telemetry", "router.broker", "router.terminal")
_PUBLIC: Final = (
    "consumers.runtime.fate",
    "consumers.runtime.records",
    "consumers.runtime.service",
    "consumers.runtime.settings",
    "consumers.runtime.trail",
)
"""Imports of every consumer; the store and `apply` add the transaction and the outcomes."""

_BROKER: Final = (
    *("router.broker.adapter", "router.broker.log", "router.broker.rights"),
    "router.broker.topics",
)

_CONSUMER: Final = (
    *("router.contract", "router.telemetry", "router.terminal"),
    *_PUBLIC,
    "consumers.runtime.cases",
    *("consumers.runtime.store", "consumers.runtime.apply", "consumers.runtime.plain"),
    *("consumers.runtime.commands", "consumers.runtime.commands.actions"),
    "consumers.runtime.migrations",
)

MAY_IMPORT: Final[Mapping[str, tuple[str, ...]]] = {
    # the floor, from the bottom up
    "router.background": (),
    # `wire` tries the shorter way to read a record first
    "router.contract": ("router.contract.fast",),
    "router.contract.fast": _LANGUAGE,
    "router.delivery": _LANGUAGE,
    "router.errors": (*_LANGUAGE, "router.delivery"),
    "router.telemetry": ("router.background",),
    "router.secrets": ("router.contract", "router.errors", "router.telemetry"),
    "router.terminal": ("router.contract", "router.telemetry"),
    "router.broker.rights": _LANGUAGE,
    "router.broker.adapter": ("router.broker.rights", "router.telemetry"),
    "router.broker.topics": (
        *("router.background", "router.broker.adapter", "router.broker.rights"),
        "router.telemetry",
    ),
    "router.broker.log": ("router.broker.adapter", "router.broker.topics"),
    "router.broker": (
        *_BROKER,
        *("router.contract", "router.telemetry", "router.secrets", "router.errors"),
    ),
    # the edge
    "router.providers": (
        *(*_LANGUAGE, "router.contract.fast", "router.delivery", "router.errors"),
    ),
    "router.configuration": (
        *("router.contract", "router.errors", "router.secrets"),
        *("router.broker", "router.broker.topics"),
    ),
    "router.edge.http": ("router.configuration", "router.errors", "router.telemetry"),
    "router.edge.refused": (
        "router.background",
        *("router.broker", *_BROKER, "router.contract", "router.delivery"),
        *("router.errors", "router.telemetry"),
    ),
    "router.edge.publishing": (
        "router.background",
        *("router.broker", *_BROKER, "router.contract"),
        *("router.errors", "router.telemetry", "router.edge.intake", "router.edge.metrics"),
        "router.configuration",
    ),
    "router.edge.handling": (
        *("router.edge.http", "router.edge.publishing", "router.edge.refused"),
        *("router.edge.delivery_log", "router.edge.gate", "router.edge.intake"),
        *("router.edge.metrics", "router.edge.places", "router.edge.summary"),
        *("router.configuration", "router.delivery", "router.errors", "router.telemetry"),
    ),
    "router.edge.spool.storage": ("router.contract",),
    "router.edge.spool": (
        *("router.background", "router.contract", "router.errors", "router.telemetry"),
        *("router.broker", "router.configuration"),
        *("router.edge.publishing", "router.edge.spool.storage"),
    ),
    "router.edge": (
        "router.background",
        *("router.edge.http", "router.edge.publishing", "router.edge.refused"),
        *("router.edge.handling", "router.edge.spool"),
        *("router.broker", *_BROKER, "router.configuration", "router.contract"),
        "router.contract.fast",
        *("router.delivery", "router.errors", "router.providers", "router.secrets"),
        "router.telemetry",
    ),
    "router.edge.workers": (
        "router.background",
        *("router.edge", "router.configuration", "router.errors", "router.telemetry"),
        # the loop that a command's process would use
        "router.terminal",
    ),
    "router.quarantine": (
        *("router.broker", *_BROKER, "router.contract", "router.delivery", "router.errors"),
        *("router.providers", "router.edge.intake", "router.telemetry"),
        # how a refused delivery is stored, and how events are published
        *("router.edge.refused", "router.edge.publishing"),
    ),
    "router.evaluation": ("router", "!router.commands"),
    "router.commands": (
        *("router.terminal", "router.commands.actions"),
        # only named: types of what is given to the work
        "router.contract",
    ),
    "router.commands.actions": ("router",),
    "router.schemas": ("router.contract", "router.configuration", "router.edge"),
    # the consumers
    "consumers.runtime.fate": (),
    "consumers.runtime.trail": (),
    "consumers.runtime.records": _LANGUAGE,
    "consumers.runtime.fetched_ahead": ("consumers.runtime.records",),
    "consumers.runtime.cases": (),
    "consumers.runtime.service": (*_LANGUAGE, *_PUBLIC, "consumers.runtime.cases"),
    "consumers.runtime.settings": (
        *(*_LANGUAGE, *_PUBLIC, "router.broker", "consumers.runtime.topic_check"),
    ),
    "consumers.runtime.topic_check": ("router.broker.rights", "router.broker.topics"),
    "consumers.runtime.migrations": ("consumers.runtime.store",),
    "consumers.runtime.store": (*_PUBLIC, "consumers.runtime.migrations"),
    "consumers.runtime.configured": (*_PUBLIC, "consumers.runtime.store"),
    "consumers.runtime.apply": (*_PUBLIC, *_FLOOR[:2], "consumers.runtime.store"),
    "consumers.runtime.plain": (
        *(*_PUBLIC, *_FLOOR[:2], "consumers.runtime.store", "consumers.runtime.apply"),
    ),
    "consumers.runtime.casebook": (
        *(*_PUBLIC, *_LANGUAGE, "consumers.runtime.cases", "router.terminal"),
        *("consumers.runtime.configured", "consumers.runtime.store", "consumers.runtime.apply"),
    ),
    "consumers.runtime.measures": (
        *(*_PUBLIC, *_BROKER, "router.broker", "router.telemetry"),
        *("consumers.runtime.store", "consumers.runtime.apply", "consumers.runtime.cases"),
        "consumers.runtime.casebook",
    ),
    "consumers.runtime.member": (
        "router.background",
        *(*_PUBLIC, *_FLOOR, *_BROKER, "consumers.runtime.topic_check"),
        *("consumers.runtime.store", "consumers.runtime.apply", "consumers.runtime.measures"),
        *("consumers.runtime.cases", "consumers.runtime.casebook", "consumers.runtime.plain"),
        "consumers.runtime.fetched_ahead",
    ),
    "consumers.runtime.progress": (
        *(*_PUBLIC, *_FLOOR, *_BROKER, "consumers.runtime.configured"),
        *("consumers.runtime.store", "consumers.runtime.apply", "consumers.runtime.measures"),
    ),
    "consumers.runtime.exporter": (
        *(*_PUBLIC, *_FLOOR, *_BROKER, "consumers.runtime.configured"),
        *("consumers.runtime.store", "consumers.runtime.apply", "consumers.runtime.measures"),
        "consumers.runtime.progress",
        *("consumers.runtime.cases", "consumers.runtime.casebook"),
    ),
    "consumers.runtime.trace": (
        *(*_PUBLIC, *_FLOOR, *_BROKER, "consumers.runtime.configured"),
        *("consumers.runtime.store", "consumers.runtime.apply", "consumers.runtime.progress"),
        "consumers.runtime.casebook",
    ),
    "consumers.runtime.commands": (
        *("router.terminal", "consumers.runtime.commands.actions"),
        # only named, or made from options: types of what is given to the work
        *("consumers.runtime.configured", "consumers.runtime.settings", "consumers.runtime.trace"),
    ),
    "consumers.runtime.commands.actions": (
        *(*_FLOOR, *_BROKER, "consumers.runtime", "!consumers.runtime.exporter"),
    ),
    "consumers.ledger": (*_CONSUMER, "consumers.ledger.transfers"),
    "consumers.ledger.transfers": (*_CONSUMER, "consumers.ledger"),
    "consumers.inventory": _CONSUMER,
    "consumers.notifications": (*_CONSUMER, "router.secrets"),
    # in services that use FastStream themselves, without the runtime
    "consumers.exactly_once": (
        *(*_LANGUAGE, "consumers.runtime.records"),
        *("router.broker.log", "router.broker.topics"),
    ),
    # the whole command
    "consumers.rights": (
        *("router.broker.rights", "router.commands", "router.commands.actions"),
        *("router.configuration", "router.terminal", "consumers"),
    ),
    "consumers.doctor": (
        "consumers.rights",
        *(*_FLOOR, *_BROKER, "router.commands", "router.commands.actions"),
        *("router.configuration", "router.edge", "router.edge.http", "router.errors"),
        *(*_PUBLIC, "consumers.runtime.configured", "consumers.runtime.store"),
        *("consumers.runtime.apply", "consumers.runtime.progress", "consumers"),
    ),
    "consumers.roles": (
        *(*_FLOOR, "router.commands", "router.configuration", "router.errors"),
        *(*_PUBLIC, "consumers.runtime.configured", "consumers.runtime.store", "consumers"),
    ),
    # the console: from its inner rooms to the process
    "consumers.console.access": ("router.configuration",),
    "consumers.console.figures": ("router.configuration",),
    "consumers.console.web": (
        *("consumers.console.access", "consumers.console.figures", "router.configuration"),
        *("consumers.runtime.configured", "consumers.runtime.store"),
    ),
    "consumers.console.serving": (
        *("consumers.console.access", "consumers.console.web"),
        *("router.configuration", "router.telemetry"),
    ),
    "consumers.console.listing": ("consumers.console.access", "consumers.console.web"),
    "consumers.console.acting": ("consumers.console.access", "consumers.console.web"),
    "consumers.console.pages": (
        *("consumers.console.access", "consumers.console.figures", "consumers.console.web"),
        *("consumers.console.listing", "consumers.console.acting"),
        *(*_FLOOR, *_BROKER, "router.configuration", "router.errors", "router.delivery"),
        *("router.quarantine", "router.providers", "router.edge", "router.edge.http"),
        "router.edge.refused",
        *("router.commands", "router.commands.actions", "router.evaluation"),
        *("consumers.runtime", "!consumers.runtime.exporter", "!consumers.runtime.member"),
        *("consumers.ledger", "consumers.ledger.transfers", "consumers.inventory"),
        "consumers.notifications",
    ),
    "consumers.console": (
        *("consumers.console.access", "consumers.console.web", "consumers.console.pages"),
        *("consumers.console.serving", "consumers.console.figures", "router.background"),
        *(*_FLOOR, "router.commands", "router.commands.actions", "router.configuration"),
        *("router.background", "router.secrets", "router.errors"),
        *("consumers.runtime.configured", "consumers"),
    ),
    "consumers": (
        *(
            "consumers.console",
            "consumers.console.serving",
            "consumers.doctor",
            "consumers.rights",
            "consumers.roles",
        ),
        *_FLOOR,
        *_BROKER,
        *("router.commands", "router.commands.actions", "router.configuration", "router.errors"),
        "router.evaluation.placed",
        *("consumers.runtime",),
    ),
}


def room_of(name: str) -> str:
    """Return the room a module belongs to: the longest name in the table that begins its name."""
    rooms = [room for room in MAY_IMPORT if name == room or name.startswith(room + ".")]
    return max(rooms, key=len, default="")


def trespasses(module: Module) -> list[str]:
    """Return what a module imports across a border that is closed to its room."""
    own = room_of(module.name)
    return [
        name
        for name in sorted(module.imports())
        if name.startswith(("router.", "consumers.")) and not _is_open(name, own)
    ]


def _is_open(name: str, own: str) -> bool:
    other = room_of(name)
    if other == own or other not in MAY_IMPORT:
        return True
    allowed = MAY_IMPORT[own]
    closed = [entry[1:] for entry in allowed if entry.startswith("!")]
    if any(_covers(entry, other) for entry in closed):
        return False
    return any(_names(entry, other, name) for entry in allowed)


def _names(entry: str, other: str, name: str) -> bool:
    if entry in MAY_IMPORT:
        return entry == other
    return _covers(entry, other) or _covers(entry, name)


def _covers(entry: str, name: str) -> bool:
    return name == entry or name.startswith(entry + ".")
