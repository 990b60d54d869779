"""The counting consumer's feed, for the fault runs too."""

from tests.parts.runtime.fixtures import counting, counting_url, feed
from tests.parts.templates import templates

__all__ = ["counting", "counting_url", "feed", "templates"]
