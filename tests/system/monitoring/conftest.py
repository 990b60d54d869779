"""What the tests of this folder may ask for."""

import pytest

from tests.parts.monitoring.prometheus import missing


@pytest.fixture(scope="session")
def real_prometheus(wishes_ci: bool) -> None:  # noqa: FBT001 - a fixture
    """Have a Prometheus, or leave the test out; in CI nothing is left out."""
    reason = missing()
    if reason is not None and wishes_ci:
        pytest.fail(f"CI demands a real Prometheus: {reason}")
    if reason is not None:
        pytest.skip(reason)
