"""Brokers that the tests of `router.broker` share."""

from collections.abc import Iterator

import pytest

from router.evaluation.embedded import EvaluationBroker


@pytest.fixture(scope="module")
def evaluation() -> Iterator[str]:
    """Run an evaluation broker, which does not support DescribeConfigs; yield its address."""
    with EvaluationBroker() as bootstrap:
        yield bootstrap
