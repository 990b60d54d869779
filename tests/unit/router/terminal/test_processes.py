"""Processes that cannot start."""

import errno

import pytest

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
