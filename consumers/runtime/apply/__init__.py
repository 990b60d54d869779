"""Exactly-once application of records: fence, event ids, held records, retries and outbox."""
