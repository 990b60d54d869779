"""Unit tests of `consumers.runtime.commands`."""
