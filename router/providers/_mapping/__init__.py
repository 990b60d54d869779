"""Mapping of a gateway's fields and words to those of the contract, from the configuration.

For the providers that know only how a delivery is signed; docs/gateways/mapping.md is the
language's reference.
"""

from router.providers._mapping.checks import CheckedMapping, unconfirmed
from router.providers._mapping.meaning import event_of
from router.providers._mapping.model import BodyMapping, HeaderName
from router.providers._mapping.paths import fields_of, moment_at, put
from router.providers._mapping.simulating import simulated, told_moment

__all__ = [
    "BodyMapping",
    "CheckedMapping",
    "HeaderName",
    "event_of",
    "fields_of",
    "moment_at",
    "put",
    "simulated",
    "told_moment",
    "unconfirmed",
]
