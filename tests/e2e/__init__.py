"""The whole system as users run it: `payrouter dev` and the other commands."""
