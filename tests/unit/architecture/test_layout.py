"""Permitted imports, lengths of functions and files, and names that are not allowed."""

import ast
import builtins
import statistics
from collections import Counter
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.parts.source import ROOT, Module, body_length, functions, modules
from tests.unit.architecture.rooms import trespasses

SOURCE = modules("router", "consumers")
EVERYTHING = modules("router", "consumers", "tests")

"""Folders whose place is fixed: their migrations and entry points are found by it."""

GRAB_BAGS = {"utils", "util", "common", "core", "helpers", "helper", "manager", "base", "misc"}

PROVIDER_MAY_IMPORT = (
    "router.contract.",
    "router.delivery.",
    "router.errors.",
    "router.providers._",
)


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _is_ours(name: str) -> bool:
    return _inside(name, "router") or _inside(name, "consumers")


def _names(found: list[Module]) -> list[str]:
    return [module.name for module in found]


def test_a_module_imports_only_rooms_open_to_its_own() -> None:
    found = {module.name: trespasses(module) for module in SOURCE}
    assert {name: imports for name, imports in found.items() if imports} == {}


def test_every_room_exists_and_states_its_purpose_in_one_sentence() -> None:
    folders = [path.parent for path in (ROOT / "router").rglob("__init__.py")]
    folders += [path.parent for path in (ROOT / "consumers").rglob("__init__.py")]
    purposes = {
        folder.relative_to(ROOT).as_posix(): ast.get_docstring(
            ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
        )
        for folder in folders
    }
    assert [name for name, purpose in purposes.items() if not purpose] == []


def test_no_folder_has_more_than_15_modules() -> None:
    folders = Counter(module.path.parent for module in SOURCE if module.path.stem != "__init__")
    full = {str(path.relative_to(ROOT)): many for path, many in folders.items() if many > 15}
    assert full == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {module.name for module in SOURCE}
    graph = {module.name: module.imports_of(known) for module in SOURCE}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_provider_imports_only_what_a_provider_needs() -> None:
    wrong = []
    for module in SOURCE:
        if not module.name.startswith("router.providers."):
            continue
        package = ".".join(module.name.split(".")[:3])
        for name in module.imports():
            allowed = name.startswith(PROVIDER_MAY_IMPORT) or _inside(name, package)
            protocol = _is_protocol_name(name)
            if _is_ours(name) and not allowed and not protocol:
                wrong.append((module.name, name))
    assert wrong == []


def _is_protocol_name(name: str) -> bool:
    # The protocol's own vocabulary: Key, Answer, Simulation, Provider.
    head, _, tail = name.rpartition(".")
    return head == "router.providers" and tail[:1].isupper()


def test_the_intake_knows_neither_http_nor_kafka() -> None:
    (intake,) = [module for module in SOURCE if module.name == "router.edge.intake"]
    foreign = ("faststream", "aiokafka", "uvicorn", "router.edge.routes", "router.edge.publishing")
    assert [name for name in intake.imports() if name.startswith(foreign)] == []


def test_the_contract_imports_no_framework() -> None:
    foreign = ("faststream", "aiokafka", "structlog", "sqlalchemy", "prometheus_client", "uvicorn")
    wrong = [
        (module.name, name)
        for module in SOURCE
        if _inside(module.name, "router.contract")
        for name in module.imports()
        if name.startswith(foreign)
    ]
    assert wrong == []


def test_only_signing_makes_a_verified_delivery() -> None:
    makers = [
        module.name
        for module in SOURCE
        for node in module.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("VerifiedDelivery")
    ]
    assert set(makers) == {"router.providers._signing.proof"}


def test_no_module_is_a_grab_bag() -> None:
    wrong = [m.name for m in SOURCE if m.name.rpartition(".")[2].strip("_") in GRAB_BAGS]
    assert wrong == []


def test_no_other_code_folder_is_at_the_top() -> None:
    ours = {"router", "consumers", "tests"}
    # The chart mounts it into a pod.
    mounted = {ROOT / "deploy" / "helm" / "payrouter" / "files" / "check.py"}
    hidden = [path for path in ROOT.iterdir() if path.name.startswith((".", "build", "dist"))]
    folders = {path for path in ROOT.iterdir() if path.is_dir()} - set(hidden)
    assert {path.name for path in folders if {*path.rglob("*.py")} - mounted} <= ours


def test_no_file_is_over_400_lines() -> None:
    assert _names([module for module in EVERYTHING if module.lines > 400]) == []


def test_no_function_is_over_60_lines_and_the_median_is_under_10() -> None:
    lengths = {
        f"{module.name}.{function.name}": body_length(function)
        for module in SOURCE
        for function in functions(module)
    }
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert statistics.median(lengths.values()) < 10


def test_no_class_inherits_from_another_of_the_project_but_exceptions() -> None:
    bases = {
        node.name: [ast.unparse(base) for base in node.bases]
        for module in SOURCE
        for node in module.nodes
        if isinstance(node, ast.ClassDef)
    }
    wrong = {
        name: base
        for name, named in bases.items()
        for base in named
        if base in bases and not _is_exception(base, bases)
    }
    assert wrong == {}


def _is_exception(name: str, bases: dict[str, list[str]]) -> bool:
    builtin = getattr(builtins, name, None)
    if isinstance(builtin, type) and issubclass(builtin, BaseException):
        return True
    return any(_is_exception(base, bases) for base in bases.get(name, []))


def test_nothing_is_made_at_import() -> None:
    calls = {"open", "connect", "create_engine", "create_async_engine", "get_logger", "get_log"}
    made = {module.name: _called_at_import(module) & calls for module in SOURCE}
    assert {name: found for name, found in made.items() if found} == {}


def _called_at_import(module: Module) -> set[str]:
    statements = [node for node in module.tree.body if not isinstance(node, ast.If)]
    return {
        ast.unparse(node.func).rpartition(".")[2]
        for statement in statements
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
    }
