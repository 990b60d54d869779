"""Orders, payments and stock in memory, and how messages change them. Pure."""
