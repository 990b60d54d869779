"""Search: one payment, from its deliveries to its effects."""
