"""The published language: all of `router`, with `router.telemetry`, that a consumer may import."""
