"""The console's page of books over HTTP, on real databases."""
