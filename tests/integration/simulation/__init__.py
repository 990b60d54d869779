"""Tests of the simulation against the real store, and of its command."""
