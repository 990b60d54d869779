"""The tests, and the broker and database they stand on."""
