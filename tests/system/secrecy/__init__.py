"""System tests of the search for printed secrets."""
