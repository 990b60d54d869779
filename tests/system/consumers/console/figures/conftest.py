"""Fixtures of the tests of this folder."""

from tests.parts.monitoring.fixtures import real_prometheus

__all__ = ["real_prometheus"]
