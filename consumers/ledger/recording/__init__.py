"""Records what an operator knows about a payment or payout and no gateway reported."""
