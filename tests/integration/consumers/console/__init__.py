<<<<<<< HEAD
"""Integration tests of `consumers.console`."""
=======
"""Integration tests of the console."""
>>>>>>> console
