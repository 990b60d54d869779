"""The ledger: double entry of every payment and payout, booked once, never changed."""
