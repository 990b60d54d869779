"""Carries out every action of the console in a browser, by clicks and typing."""
