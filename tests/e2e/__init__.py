"""The whole system as its users start it: `payrouter dev` and the commands beside it."""
