"""Subscribers of a FastStream service that apply each event exactly once, without our runtime."""

from consumers.exactly_once.guard import ExactlyOnce
from consumers.exactly_once.handler import Session
from consumers.exactly_once.kinds import Unusable
from consumers.exactly_once.tables import exactly_once_tables

__all__ = ["ExactlyOnce", "Session", "Unusable", "exactly_once_tables"]
