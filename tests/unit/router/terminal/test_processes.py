"""Processes that cannot start, and what Python no longer searches for garbage."""

import errno
import gc
import weakref
from collections.abc import Iterator

import pytest

from router.terminal.command_tree import import_with_few_searches
from router.terminal.exits import StartError
from router.terminal.processes import keep_loaded, serve


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            OSError(errno.ENOENT, "No such file or directory", "/etc/cert.pem"),
            "/etc/cert.pem: No such",
        ),
        (OSError(errno.EADDRINUSE, "port 8080 is in use"), "port 8080 is in use"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_reason_names_the_file_that_is_missing(error: OSError, reason: str) -> None:
    async def process() -> None:
        raise error

    with pytest.raises(StartError, match=f"^{reason}"):
        serve(process())


class _Ring:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _all_searched() -> Iterator[None]:
    # The run of the tests keeps what it loaded too.
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("_all_searched")
def test_what_is_loaded_is_kept_and_what_is_garbage_is_freed_before() -> None:
    loaded, garbage = _Ring(), weakref.ref(_Ring())

    keep_loaded()

    assert garbage() is None
    assert gc.get_freeze_count() > 0
    assert not any(each is loaded for each in gc.get_objects()), "it would be searched again"


@pytest.mark.usefixtures("_all_searched")
def test_garbage_that_is_made_later_is_freed() -> None:
    keep_loaded()
    garbage = weakref.ref(_Ring())

    gc.collect()

    assert garbage() is None


def test_a_process_that_serves_searches_as_often_as_usual() -> None:
    usual, seen = gc.get_threshold(), list[tuple[int, int, int]]()

    async def process() -> None:
        seen.append(gc.get_threshold())

    import_with_few_searches()
    assert gc.get_threshold()[0] > usual[0]
    serve(process())

    assert seen == [usual]
