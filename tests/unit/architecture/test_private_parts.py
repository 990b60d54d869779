"""What is not public in aiokafka is touched in one place, which its contract tests watch."""

import ast

from tests.parts.source import Module, modules

SOURCE = modules("router", "consumers")

PUBLIC = ("aiokafka.errors", "aiokafka.abc", "aiokafka.admin", "aiokafka.structs")
"""Modules of aiokafka that are documented; from the package itself, everything is."""

ADAPTER = "router.broker"
"""Its requests and record readers use aiokafka's protocol types."""

REACHES_IN = {
    "router.broker.adapter.private",
    "router.broker.log.reread",
    "router.broker.topics.creation",
}
"""Those of the adapter that use attributes of aiokafka's objects which begin with an underscore."""

OTHERS = {"_collector_to_names", "_labelnames", "_metrics", "_mapping", "_instances", "_write"}
"""Undocumented attributes of prometheus_client, SQLAlchemy and our own code."""


def reached(module: Module) -> set[str]:
    """Return the parts of aiokafka that are not public and that a module uses."""
    imported = {_module(name) for name in module.imports() if name.startswith("aiokafka.")}
    hidden = {name for name in imported if name != "aiokafka" and not name.startswith(PUBLIC)}
    return hidden | {f".{name}" for name in _attributes(module)}


def _module(name: str) -> str:
    """Return the module that an import names, alone or with what is taken from it."""
    module, _, last = name.rpartition(".")
    return name if module == "aiokafka" and last.islower() else module


def _attributes(module: Module) -> set[str]:
    return {
        node.attr for node in module.nodes if isinstance(node, ast.Attribute) and _is_private(node)
    } - OTHERS


def _is_private(node: ast.Attribute) -> bool:
    owner = ast.unparse(node.value)
    if node.attr == "client":
        return owner.endswith("producer")
    hidden = node.attr.startswith("_") and not node.attr.startswith("__")
    return hidden and owner not in {"self", "cls"} and not owner.startswith("super(")


def test_only_the_adapter_touches_what_is_not_public_in_aiokafka() -> None:
    candidates = [each for each in SOURCE if "aiokafka" in each.text or "producer" in each.text]
    found = {module.name: _reached_without_leave(module) for module in candidates}
    assert {name: parts for name, parts in found.items() if parts} == {}


def _reached_without_leave(module: Module) -> set[str]:
    found = reached(module)
    if not module.name.startswith(ADAPTER + "."):
        return found
    if module.name in REACHES_IN:
        return set()
    return {part for part in found if part.startswith(".")}
