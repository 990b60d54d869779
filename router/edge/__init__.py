"""The HTTP edge: verifies a webhook and publishes its events before it answers."""
