"""What we ask of brokers, asked of a real one."""
