"""Integration tests of the page Deliveries."""
