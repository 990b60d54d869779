"""Names of types: each public one is unique in the project, so that a search finds one type."""

import ast
from collections.abc import Iterator

import pytest

from tests.parts.source import Module, modules

TYPE_VARIABLES = {"TypeVar", "TypeVarTuple", "ParamSpec"}


def _type_names(tree: ast.Module) -> Iterator[str]:
    """Yield the public classes and type aliases that a module defines at its top level."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                names = [name]
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_alias(node.annotation):
                names = [name]
            case ast.Assign(targets=targets) if not _is_type_variable(node.value):
                found = [each.id for each in targets if isinstance(each, ast.Name)]
                names = [each for each in found if _is_type_name(each)]
            case _:
                names = []
        yield from (each for each in names if not each.startswith("_"))


def _is_type_name(name: str) -> bool:
    """Return whether a name is in CapWords; constants are in capitals."""
    return name[0].isupper() and not name.isupper()


def _is_alias(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).rpartition(".")[2] == "TypeAlias"


def _is_type_variable(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    return ast.unparse(value.func).rpartition(".")[2] in TYPE_VARIABLES


def _places(found: tuple[Module, ...]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for module in found:
        if "migrations" not in module.path.parts:
            for name in _type_names(module.tree):
                places.setdefault(name, []).append(module.name)
    return places


def test_a_public_type_name_occurs_once() -> None:
    places = _places(modules("router", "consumers"))

    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("class Batch: ...", ["Batch"]),
        ("Handler = Callable[[int], None]", ["Handler"]),
        ("Key = NewType('Key', str)", ["Key"]),
        ("Reason: TypeAlias = str", ["Reason"]),
        ("T = TypeVar('T')", []),
        ("P = typing.ParamSpec('P')", []),
        ("class _Batch: ...", []),
        ("LIMIT = 3", []),
        ("LIMIT: Final = 3", []),
        ("def f():\n    class Batch: ...", []),
    ],
)
def test_public_types_are_found_at_module_level(source: str, names: list[str]) -> None:
    assert list(_type_names(ast.parse(source))) == names
