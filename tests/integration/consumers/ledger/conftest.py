"""A ledger for every test of this folder."""

from tests.parts.ledger.fixtures import ledger, ledger_url
from tests.parts.templates import templates

__all__ = ["ledger", "ledger_url", "templates"]
