"""A database of the notifications for every test of this folder."""

from tests.parts.notifications.fixtures import desk

__all__ = ["desk"]
