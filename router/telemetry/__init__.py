"""The log and the management port of every process. Registers nothing at import."""
