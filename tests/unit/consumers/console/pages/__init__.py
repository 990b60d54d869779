"""Tests of the console's pages that need neither a broker nor a database."""
