"""The services that read the events: each applies every one of them exactly once."""
