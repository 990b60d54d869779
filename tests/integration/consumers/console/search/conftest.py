"""Databases of the consumers, and a console that reads them."""

from tests.parts.console.read_by_proxy import console, stored, stores
from tests.parts.templates import templates

__all__ = ["console", "stored", "stores", "templates"]
