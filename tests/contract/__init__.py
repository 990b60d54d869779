"""The published schemas, and old records that must stay readable."""
