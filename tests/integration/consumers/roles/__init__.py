"""Tests of `payrouter db roles`."""
