"""The files of spools: their format, their lock, and the thread that writes them."""
