"""A ledger for every test of this folder."""

from tests.parts.ledger.fixtures import ledger

__all__ = ["ledger"]
