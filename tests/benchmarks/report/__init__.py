"""Figures of the benchmarks as text: tables in a terminal and on a page."""
