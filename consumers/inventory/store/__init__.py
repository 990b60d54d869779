"""SQL statements of the inventory."""
