"""What is known of a payment or an order, and which changes to report. Pure."""
