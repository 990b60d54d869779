"""Fixtures of the tests of this folder."""

from tests.parts.console.fixtures import browser, live

__all__ = ["browser", "live"]
