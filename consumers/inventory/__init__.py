"""Stock keeping: orders reserve stock, payments commit it, unpaid orders release it."""
