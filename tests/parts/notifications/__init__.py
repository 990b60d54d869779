"""Messages and their receivers for tests of the notifications."""
