"""A live console with its troubles, and a real browser that looks at it."""
