"""Unit tests of `consumers.runtime.member`."""
