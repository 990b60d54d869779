"""One way for every action: role, preview with a count, reason, confirmation, record."""
