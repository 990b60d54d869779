"""Integration tests of `consumers.runtime.member`."""
