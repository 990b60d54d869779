"""Integration tests of `consumers.runtime.commands`."""
