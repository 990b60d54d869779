"""The HTTP edge: takes one webhook in and publishes its events before it answers."""
