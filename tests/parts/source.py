"""Source files of the project, read and parsed when a test first asks for them."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path
    name: str

    @cached_property
    def text(self) -> str:
        """Text of the file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Syntax tree of the file."""
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Nodes of the syntax tree, in the order of `ast.walk`."""
        return tuple(ast.walk(self.tree))

    @property
    def lines(self) -> int:
        """How long it is."""
        return self.text.count("\n")

    def imports(self) -> frozenset[str]:
        """Every module it imports, wherever in the file, as full names."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        return frozenset(found)

    def imports_of(self, known: Collection[str]) -> frozenset[str]:
        """Return the modules among `known` that it imports when it is imported itself."""
        found: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                found.update(name if name in known else node.module for name in names)
        return frozenset(found & set(known)) - {self.name}


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return every module of the given top-level folders; none is read yet."""
    return tuple(
        _module(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))
    )


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module, nested ones included."""
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    return length


@cache
def _module(path: Path) -> Module:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return Module(path, name)
