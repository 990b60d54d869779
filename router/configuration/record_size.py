"""Largest record of the edge, and whether the producer may send it."""

from router.configuration.settings import Settings
from router.errors import ConfigurationError

RECORD_OVERHEAD_BYTES = 32 * 1024
"""Room for the normalized fields and the headers of the record."""


def largest_record(settings: Settings) -> int:
    """Return how many bytes a record may have: the body as base64, its headers and overhead."""
    # A quotation mark in a header or the target takes two bytes in JSON.
    kept = settings.edge.body_limit_bytes * 4 // 3 + settings.edge.header_limit_bytes * 2
    return kept + RECORD_OVERHEAD_BYTES


def check_room(settings: Settings) -> None:
    """Raise ConfigurationError for a body limit whose records the producer could not send."""
    needed = largest_record(settings)
    if needed > settings.kafka.max_request_bytes:
        message = (
            f"edge.body_limit_bytes: a body of {settings.edge.body_limit_bytes} bytes makes a"
            f" record of up to {needed}, kafka.max_request_bytes is"
            f" {settings.kafka.max_request_bytes}"
        )
        raise ConfigurationError(message)
