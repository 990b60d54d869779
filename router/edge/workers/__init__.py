"""Several worker processes on one port: one parent starts, watches and measures them."""
