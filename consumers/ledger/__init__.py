"""Double-entry ledger of payments and payouts: each is booked once and never changed."""
