"""Fixtures of tests with a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.parts.console.chromium import chromium, missing
from tests.parts.console.live import LiveConsole, live_console


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveConsole]:
    """Yield the running console of a shop with troubles, which the tests of a file share."""
    with live_console(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(wishes_ci: bool) -> Iterator[Browser]:  # noqa: FBT001 - a fixture
    """Yield a real Chromium, or skip the test; in CI no test is skipped."""
    reason = missing()
    if reason is not None and wishes_ci:
        pytest.fail(f"CI demands a real browser: {reason}")
    if reason is not None:
        pytest.skip(reason)
    # Not for the whole session: no test with an event loop runs while a browser is open.
    with chromium() as running:
        yield running
