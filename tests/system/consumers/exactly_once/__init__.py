"""Tests of the exactly-once guard of FastStream services."""
