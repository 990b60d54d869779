"""Pauses the tracer of `--cov` where it would measure nothing of the project.

pytest-cov's mark `no_cover` leaves out a test but not its fixtures, which may cost more. Its
`pause` has no effect in xdist's workers: there, an outer measurement resumes.
"""

import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Final
from unittest.mock import patch

MEASURED: Final = ("router", "consumers")
"""The packages that coverage measures: `source` in pyproject.toml."""


def is_tracing() -> bool:
    """Return whether this thread is traced."""
    return sys.gettrace() is not None


@contextmanager
def paused() -> Iterator[None]:
    """Trace nothing in the block, nor in threads that start in it."""
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
        threading.settrace(of_threads)


@contextmanager
def only_imports_traced(packages: Collection[str] = MEASURED) -> Iterator[None]:
    """Trace only the modules of these packages that are imported in the block.

    To collect the tests takes twice as long with a tracer, and these modules are a small part.
    """
    tracer, execute = sys.gettrace(), SourceFileLoader.exec_module

    def executed(loader: SourceFileLoader, module: ModuleType) -> None:
        if is_tracing() or module.__name__.partition(".")[0] not in packages:
            execute(loader, module)
            return
        sys.settrace(tracer)
        try:
            execute(loader, module)
        finally:
            sys.settrace(None)

    with paused(), patch.object(SourceFileLoader, "exec_module", executed):
        yield
