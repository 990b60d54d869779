"""A key and a certificate for tests: they protect nothing, and everyone may know them."""
