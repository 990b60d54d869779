"""Integration tests of `router.telemetry`."""
