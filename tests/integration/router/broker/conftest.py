"""Brokers that the tests of `router.broker` share."""

from collections.abc import Iterator

import pytest

from router.evaluation.embedded import EvaluationBroker


@pytest.fixture(scope="module")
def evaluation() -> Iterator[str]:
    """Give the address of an evaluation broker, which has no DescribeConfigs."""
    with EvaluationBroker() as bootstrap:
        yield bootstrap
