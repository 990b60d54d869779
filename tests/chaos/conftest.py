"""The counting consumer's feed, for the fault runs too."""

from tests.consumers.runtime.conftest import counting, feed

__all__ = ["counting", "feed"]
