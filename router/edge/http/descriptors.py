"""Fits the number of connections to the file descriptors of this process."""

import resource
from dataclasses import dataclass

RESERVED = 64
"""Descriptors reserved for Kafka, probes, files and the log."""


@dataclass(frozen=True)
class Room:
    """The numbers of unverified connections and of deliveries being published that fit."""

    unproved: int
    places: int


def room_for(unproved: int, places: int) -> Room:
    """Raise the soft limit of descriptors as far as needed; return the numbers that fit.

    If they do not fit, both are reduced in proportion: an edge with few descriptors serves
    fewer senders at once, but accepts every connection that it can still answer.
    """
    return fitted(unproved, places, _descriptors(unproved + places + RESERVED))


def fitted(unproved: int, places: int, descriptors: int) -> Room:
    """Divide the descriptors; at least one connection and one place remain."""
    available = max(descriptors - RESERVED, 2)
    wanted = unproved + places
    if wanted <= available:
        return Room(unproved, places)
    fewer = max(1, places * available // wanted)
    return Room(max(1, available - fewer), fewer)


def reachable(wanted: int) -> int:
    """Return how many descriptors this process could have, up to the wanted ones or its limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard}:
        return wanted
    return max(soft, min(wanted, hard))


def _descriptors(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = reachable(wanted)
    if soft != resource.RLIM_INFINITY and soft < found:
        resource.setrlimit(resource.RLIMIT_NOFILE, (found, hard))
    return found
