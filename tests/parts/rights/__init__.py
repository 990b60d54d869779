"""A deployment in which each process has its own user, with the rights of the table alone."""
