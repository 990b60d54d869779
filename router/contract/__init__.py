"""The published language: events, orders and outcomes as both halves and other systems use them."""
