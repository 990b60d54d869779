"""Tests of the notifications consumer."""
