"""Unit tests of `router.telemetry`."""
