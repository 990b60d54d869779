"""The counting consumer's feed, for the fault runs too."""

from tests.parts.runtime.fixtures import counting, feed

__all__ = ["counting", "feed"]
