"""Tests of the servers that the benchmarks compare."""
