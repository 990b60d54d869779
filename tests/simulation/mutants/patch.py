"""Seeds a bug into a function: replaces a piece of its source, and exchanges its code."""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Patch:
    """In a function, `old` becomes `new`; `function` is its qualified name within the module."""

    module: str
    function: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A bug: its area, what it does in a sentence, and its patches.

    `without` switches off the guard that stops the same error elsewhere, described by `guard`.
    """

    name: str
    area: str
    bug: str
    patch: Patch
    without: Sequence[Patch] = ()
    guard: str = ""


@contextlib.contextmanager
def patched(patches: Sequence[Patch]) -> Iterator[None]:
    """Run a block with the functions patched."""
    changed: list[tuple[FunctionType, CodeType]] = []
    try:
        for each in patches:
            function = _function(each)
            changed.append((function, function.__code__))
            function.__code__ = _code(each)
        yield
    finally:
        for function, before in reversed(changed):
            function.__code__ = before


def _function(patch: Patch) -> FunctionType:
    found: Any = importlib.import_module(patch.module)
    for name in patch.function.split("."):
        found = vars(found)[name]
    if isinstance(found, property):
        found = found.fget
    unwrapped = inspect.unwrap(found)
    assert isinstance(unwrapped, FunctionType), patch
    return unwrapped


@cache
def _code(patch: Patch) -> CodeType:
    """Return the code of the patched function, compiled with the whole module."""
    module = importlib.import_module(patch.module)
    source = _replaced(module, patch)
    compiled = compile(source, str(module.__file__), "exec", dont_inherit=True)
    (code,) = [each for each in _codes(compiled) if each.co_qualname == patch.function]
    return code


def _replaced(module: ModuleType, patch: Patch) -> str:
    """Return the source of the module with the patch in the function. Raises ValueError."""
    source = inspect.getsource(module)
    own = inspect.getsource(_function(patch))
    if own.count(patch.old) != 1 or source.count(own) != 1:
        message = f"{patch.module}.{patch.function} does not contain this once: {patch.old}"
        raise ValueError(message)
    return source.replace(own, own.replace(patch.old, patch.new))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


Run = Callable[[int], Sequence[str]]
