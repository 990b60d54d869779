"""Tests of the benchmarks: what they send, compute and write."""
