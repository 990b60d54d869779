"""Draws the rooms of the code and writes them into docs/architecture.md.

`python -m tests.unit.architecture.picture` writes the picture and the table of rooms between their
markers. The arrows are the imports that are in the code, less those that follow from others.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.parts.source import ROOT, modules
from tests.unit.architecture.rooms import MAY_IMPORT, room_of

PAGE: Final = ROOT / "docs" / "architecture.md"

Boxes = Mapping[str, Sequence[str]]

FLOORS: Final[Mapping[str, Boxes]] = {
    "the whole command": {
        "consumers": [
            *("consumers", "consumers.doctor", "consumers.rights", "consumers.roles"),
            *("consumers.console", "consumers.console.pages", "consumers.console.serving"),
            *("consumers.console.acting", "consumers.console.listing"),
            *("consumers.console.web", "consumers.console.access", "consumers.console.figures"),
        ],
        "router.commands": [
            *("router.commands", "router.commands.actions", "router.schemas"),
        ],
        "router.evaluation": ["router.evaluation"],
    },
    "the edge": {
        "router.quarantine": ["router.quarantine"],
        "router.edge": [
            *("router.edge", "router.edge.handling", "router.edge.publishing"),
            *("router.edge.workers", "router.edge.spool", "router.edge.spool.storage"),
        ],
        "router.edge.http": ["router.edge.http"],
        "router.edge.refused": ["router.edge.refused"],
        "router.providers": ["router.providers"],
    },
    "the consumers": {
        "ledger, inventory, notifications": [
            *("consumers.ledger", "consumers.inventory", "consumers.notifications"),
            "consumers.ledger.transfers",
        ],
        "exactly_once": ["consumers.exactly_once"],
        "runtime.commands": [
            *("consumers.runtime.commands", "consumers.runtime.commands.actions"),
        ],
        "runtime.trace": ["consumers.runtime.trace"],
        "runtime.exporter": ["consumers.runtime.exporter"],
        "runtime.progress": ["consumers.runtime.progress"],
        "runtime.member": ["consumers.runtime.member"],
        "runtime.measures": ["consumers.runtime.measures"],
        "runtime.casebook": ["consumers.runtime.casebook"],
        "runtime.plain": ["consumers.runtime.plain"],
        "runtime.apply": ["consumers.runtime.apply"],
        "runtime.store": [
            *("consumers.runtime.store", "consumers.runtime.migrations"),
            "consumers.runtime.configured",
        ],
        "runtime.service, settings, records": [
            *("consumers.runtime.service", "consumers.runtime.settings"),
            *("consumers.runtime.records", "consumers.runtime.fate", "consumers.runtime.trail"),
            *("consumers.runtime.topic_check", "consumers.runtime.cases"),
            "consumers.runtime.fetched_ahead",
        ],
    },
    "the floor": {
        "router.broker": ["router.broker"],
        "router.configuration": ["router.configuration"],
        "router.broker.log": ["router.broker.log"],
        "router.broker.topics": [
            "router.broker.topics",
            "router.broker.adapter",
            "router.broker.rights",
        ],
        "router.secrets": ["router.secrets"],
        "router.terminal": ["router.terminal"],
        "router.telemetry": ["router.telemetry", "router.background"],
        "router.errors, delivery": ["router.errors", "router.delivery"],
        "router.contract": ["router.contract", "router.contract.fast"],
    },
}
"""The boxes of the picture, by floor: each with its rooms. Every room is in exactly one."""

_MARKERS: Final = {
    "picture": ("<!-- picture of the rooms, generated -->", "<!-- end of the picture -->"),
    "table": ("<!-- table of the rooms, generated -->", "<!-- end of the table -->"),
}


def boxes() -> Boxes:
    """Return every box of the picture with its rooms."""
    return {box: rooms for floor in FLOORS.values() for box, rooms in floor.items()}


def arrows() -> Mapping[str, Sequence[str]]:
    """Return for each box those that it imports and that no other import of its implies."""
    imports = _imports()
    return {
        box: sorted(
            other
            for other in others
            if not any(other in _reached(imports, each, box) for each in others - {other})
        )
        for box, others in imports.items()
    }


def picture() -> str:
    """Return the rooms as a Mermaid flow chart."""
    names = {box: f"r{number}" for number, box in enumerate(boxes())}
    lines = ["```mermaid", "flowchart TD"]
    for number, (floor, own) in enumerate(FLOORS.items()):
        lines.append(f'  subgraph f{number}["{floor}"]')
        lines += [f'    {names[box]}["{box}"]' for box in own]
        lines.append("  end")
    for box, others in arrows().items():
        lines += [f"  {names[box]} --> {names[other]}" for other in others]
    return "\n".join([*lines, "```"])


def table() -> str:
    """Return the rooms as a table: what each is for, in its own words."""
    rows = [f"| `{room}` | {_purpose(room)} |" for room in MAY_IMPORT]
    return "\n".join(["| room | what it is for |", "|---|---|", *rows])


def written(text: str) -> str:
    """Return the page with picture and table as they are now."""
    for name, content in {"picture": picture(), "table": table()}.items():
        first, last = _MARKERS[name]
        head, found, rest = text.partition(first)
        _, ended, tail = rest.partition(last)
        if not (found and ended):
            message = f"{PAGE.name} lacks the markers of its {name}: {first} and {last}"
            raise ValueError(message)
        text = f"{head}{first}\n{content}\n{last}{tail}"
    return text


def _imports() -> Mapping[str, set[str]]:
    box_of = {room: box for box, rooms in boxes().items() for room in rooms}
    found: dict[str, set[str]] = {box: set() for box in boxes()}
    for module in modules("router", "consumers"):
        box = box_of.get(room_of(module.name))
        if box is not None:
            rooms = map(room_of, module.imports())
            found[box] |= {box_of[room] for room in rooms if room in box_of} - {box}
    return found


def _reached(imports: Mapping[str, set[str]], start: str, closed: str) -> set[str]:
    """Return every box that is imported from `start` on, not through `closed`."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for each in imports[waiting.pop()] - found - {closed}:
            found.add(each)
            waiting.append(each)
    return found


def _purpose(room: str) -> str:
    path = ROOT.joinpath(*room.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return next(_paragraphs(docstring), "").replace("|", "\\|")


def _paragraphs(text: str) -> Iterator[str]:
    yield from (" ".join(each.split()) for each in text.split("\n\n"))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
