"""SQL statements of the handler: a few per batch, each over all its rows."""
