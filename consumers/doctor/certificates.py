"""Judges how long certificates are still valid: the edge's, and those of `[kafka]`."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from router.broker.settings import KafkaSettings

RENEWED_BEFORE = timedelta(days=14)
"""Common issuers renew a certificate of 90 days 30 days before it ends: at 14, that has failed."""


def judge_validity(
    thing: CheckedThing, expires: datetime, now: datetime, remedy: str
) -> CheckResult:
    """Return the result about a certificate that is valid until then."""
    day = f"{expires:%Y-%m-%d %H:%M} UTC"
    if expires <= now:
        return thing.fail(f"expired on {day}", remedy)
    if expires - now < RENEWED_BEFORE:
        return thing.warn(f"expires on {day}, in {_days(expires - now)}", remedy)
    return thing.ok(f"valid until {day}")


def _days(left: timedelta) -> str:
    return f"{left.days} day{'s' if left.days != 1 else ''}"


def judge_kafka_certificates(kafka: KafkaSettings, now: datetime) -> Iterator[CheckResult]:
    """Yield the results about our certificate and the authorities of a usable `[kafka]`.

    Authorities of the operating system are not checked.
    """
    if not kafka.security_protocol.endswith("SSL"):
        return
    if kafka.ssl_certfile is not None:
        leaf, *_ = _read(kafka.ssl_certfile)
        remedy = "renew kafka.ssl_certfile; a running process loads the new pair by itself"
        thing = CheckedThing(CheckedArea.BROKER, "kafka.ssl_certfile")
        yield judge_validity(thing, leaf.not_valid_after_utc, now, remedy)
    if kafka.ssl_cafile is not None:
        yield _authorities(_read(kafka.ssl_cafile), now)


def _authorities(found: list[x509.Certificate], now: datetime) -> CheckResult:
    """Judge the one that ends last: an authority that was replaced may stay in the file."""
    thing = CheckedThing(CheckedArea.BROKER, "kafka.ssl_cafile")
    last = max(each.not_valid_after_utc for each in found)
    return judge_validity(thing, last, now, "add the authority that signs the brokers' next ones")


def _read(file: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(file.read_bytes())
