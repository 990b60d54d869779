"""Tests of the ledger: its postings, its database constraints, its commands."""
