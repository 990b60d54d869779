"""Runs the whole system on one machine for `payrouter dev`, with simulated traffic."""
