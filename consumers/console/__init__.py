"""Web pages for people who work with payments: they read everything and, if permitted, act."""
