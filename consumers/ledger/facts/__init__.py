"""The facts of one payment or payout, folded from its events, and what they mean. Pure."""
