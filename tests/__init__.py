"""The tests, and the broker and database they run on."""
