"""A database of the notifications for every test of this folder."""

from tests.parts.notifications.fixtures import desk, desk_url
from tests.parts.templates import templates

__all__ = ["desk", "desk_url", "templates"]
