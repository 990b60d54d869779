"""Scenarios of the whole system and the checks of its books."""
