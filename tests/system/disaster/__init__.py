"""A database restored from a backup, and a cluster replaced by its mirror."""
