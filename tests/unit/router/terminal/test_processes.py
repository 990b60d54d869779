"""Processes that serve, and those that cannot start."""

import errno
import gc

import pytest

from router.terminal.command_tree import import_with_few_searches
from router.terminal.exits import StartError
from router.terminal.processes import serve


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


def test_a_process_that_serves_searches_as_usual_what_it_made_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual, seen = gc.get_threshold(), list[object]()
    monkeypatch.setattr(gc, "freeze", lambda: seen.append("frozen"))

    async def process() -> None:
        seen.append(gc.get_threshold())

    import_with_few_searches()
    assert gc.get_threshold()[0] > usual[0]
    serve(process())

    assert seen == ["frozen", usual]
