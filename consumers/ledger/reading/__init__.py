"""Reads the books: balances, statements, verification and export."""
