"""A test that needs another limit passes it: it does not replace a constant of a module."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.parts.source import modules

TESTS = modules("tests")

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")
FULL_NAME = re.compile(r"(router|consumers)(\.\w+)+\._?[A-Z][A-Z0-9_]+")


def patched(tree: ast.AST) -> Iterator[str]:
    """Yield each constant of a module that a test replaces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # An argument, or an entry in a table of what to replace.
            yield from [node.value] if FULL_NAME.fullmatch(node.value) else []
        elif isinstance(node, ast.Call) and len(node.args) > 1:
            yield from _replaced(ast.unparse(node.func), *node.args[:2])
        elif isinstance(node, ast.Assign):
            yield from map(ast.unparse, filter(_is_constant, node.targets))


def _replaced(function: str, owner: ast.expr, name: ast.expr) -> Iterator[str]:
    if not function.endswith(("setattr", "patch.object")) or isinstance(owner, ast.Constant):
        return
    full = f"{ast.unparse(owner)}.{ast.unparse(name)}"
    if isinstance(name, ast.Constant):
        yield from [full] if CONSTANT.fullmatch(str(name.value)) else []
    elif function.endswith(".setattr"):
        # Which attribute it is, only the run shows.
        yield full


def _is_constant(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and CONSTANT.fullmatch(target.attr) is not None


def test_no_test_replaces_a_constant_of_a_module() -> None:
    found = {module.name: set(patched(module.tree)) for module in TESTS}
    assert {name: constants for name, constants in found.items() if constants} == {}


@pytest.mark.parametrize(
    "line",
    [
        'monkeypatch.setattr(limits, "STOP_SECONDS", 1)',
        'monkeypatch.setattr("router.limits.STOP_SECONDS", 1)',
        'monkeypatch.setattr("router.limits._STOP_SECONDS", 1)',
        "monkeypatch.setattr(limits, name, 1)",
        'patch("consumers.limits.STOP_SECONDS", 1)',
        'patch.object(limits, "STOP_SECONDS", 1)',
        'order = {"consumers.limits.STOP_SECONDS": 1}',
        "limits.STOP_SECONDS = 1",
    ],
)
def test_each_way_to_replace_one_is_found(line: str) -> None:
    assert list(patched(ast.parse(line))) != []


@pytest.mark.parametrize(
    "line",
    [
        'monkeypatch.setattr(limits, "stop", stop)',
        'monkeypatch.setattr(Limits, "stop", stop)',
        'monkeypatch.setattr("router.limits.stop", stop)',
        "setattr(owner, name, wrapped)",
        "STOP_SECONDS = 1",
    ],
)
def test_a_function_may_be_replaced(line: str) -> None:
    assert list(patched(ast.parse(line))) == []
