"""Applies records exactly once: fence, event ids, held records, retries and the outbox."""
