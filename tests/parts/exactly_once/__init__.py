"""A FastStream service under attack, with and without the exactly-once guard."""
