"""Edges in the test process, requests for them, and raw HTTP."""
