"""Tests that need neither a broker nor a database nor a process."""
