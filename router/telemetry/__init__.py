"""How every process is seen: its log and its management port. Nothing registers at import."""
