"""Every line of log the code can write, read from its syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.parts.source import Module

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


@dataclass(frozen=True)
class LogCall:
    """One call of a logger: its event, its levels and its fields."""

    where: str
    event: str | None
    """None if the event is not a literal in the call."""
    said: str
    """Source text of the event."""
    levels: frozenset[str]
    fields: frozenset[str]
    more: bool
    """Whether the call passes further fields by `**`."""


def log_calls(module: Module) -> Iterator[LogCall]:
    """Yield the calls of every logger that `get_log` made."""
    for node in module.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = node.func.attr
            if _is_log(node.func.value) and method in {*LEVELS, "log"}:
                yield _call(module, node, method)


def _is_log(node: ast.expr) -> bool:
    """Return whether it is a logger: `log`, `self._log`, `process.log`, `get_log(...)`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "get_log"
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in {"log", "_log"}


def _call(module: Module, node: ast.Call, method: str) -> LogCall:
    level, event = (node.args if method == "log" else [None, *node.args])[:2]
    assert event is not None
    levels = {"error" if method == "exception" else method} if level is None else _levels(level)
    fields = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
    return LogCall(
        where=f"{module.name}:{node.lineno}",
        event=str(event.value) if isinstance(event, ast.Constant) else None,
        said=ast.unparse(event),
        levels=frozenset(levels),
        fields=frozenset(fields - {"exc_info"}) | ({"exception"} & _exception(method, node)),
        more=any(keyword.arg is None for keyword in node.keywords),
    )


def _exception(method: str, node: ast.Call) -> set[str]:
    told = method == "exception" or any(keyword.arg == "exc_info" for keyword in node.keywords)
    return {"exception"} if told else set()


def _levels(node: ast.expr) -> set[str]:
    """Read `logging.INFO if ... else logging.WARNING`."""
    names = {each.attr.lower() for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return names & LEVELS
