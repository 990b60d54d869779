"""One delivery from its head to its answer."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from router.edge.http.request_head import RequestHead
from router.edge.http.response import Response
from router.edge.summary import Summary

if TYPE_CHECKING:
    from router.edge.intake import Prepared

GiveAnswer = Callable[[Response], None]
"""Receives the answer to a delivery, once."""


class DeliveryInWork:
    """A delivery that has no answer yet.

    `deadline` is the moment of the event loop's clock by which it must be durable.
    """

    __slots__ = (
        "answered",
        "deadline",
        "has_place",
        "prepared",
        "request",
        "started",
        "submitted_at",
        "summary",
    )

    def __init__(self, request: RequestHead, summary: Summary, deadline: float) -> None:
        """Start with the head of its request."""
        self.request = request
        self.summary = summary
        self.deadline = deadline
        self.started = self.submitted_at = time.perf_counter()
        self.has_place = False
        self.answered: GiveAnswer | None = None
        self.prepared: Prepared | None = None
