"""Fixtures about Prometheus, for several folders of tests."""

import pytest

from tests.parts.monitoring.prometheus import missing


@pytest.fixture(scope="session")
def real_prometheus(wishes_ci: bool) -> None:  # noqa: FBT001 - a fixture
    """Require Prometheus, or skip the test; in CI no test is skipped."""
    reason = missing()
    if reason is not None and wishes_ci:
        pytest.fail(f"CI demands a real Prometheus: {reason}")
    if reason is not None:
        pytest.skip(reason)
