"""The counting consumer for every test of this folder."""

from tests.parts.runtime.fixtures import counting, feed, payrouter

__all__ = ["counting", "feed", "payrouter"]
