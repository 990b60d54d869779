"""The counting consumer for every test of this folder."""

from tests.parts.runtime.fixtures import (
    counting,
    counting_url,
    feed,
    parcels,
    parcels_url,
    payrouter,
)
from tests.parts.templates import templates

__all__ = [
    "counting",
    "counting_url",
    "feed",
    "parcels",
    "parcels_url",
    "payrouter",
    "templates",
]
