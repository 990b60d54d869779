"""Certificates of `[kafka]`, and how long they are still valid."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.doctor.certificates import judge_kafka_certificates
from router.broker.settings import KafkaSettings
from tests.parts.edge.certificates import write_pair


def judged(tmp_path: Path, **days: float) -> list[tuple[str, str, str]]:
    """Write a file with a certificate per key, of so many days, and return the results."""
    files = {}
    for key, lasts in days.items():
        files[key] = tmp_path / f"{key}.pem"
        write_pair(files[key], tmp_path / f"{key}.key", key, timedelta(days=lasts, minutes=1))
    kafka = KafkaSettings.model_validate({"security_protocol": "SSL", **files})
    found = judge_kafka_certificates(kafka, datetime.now(UTC))
    return [(each.state.value, each.what, each.found) for each in found]


@pytest.mark.parametrize("key", ["ssl_certfile", "ssl_cafile"])
@pytest.mark.parametrize(
    ("days", "state", "begins"),
    [(14, "ok", "valid until "), (13, "warn", "expires on "), (-1, "fail", "expired on ")],
)
def test_a_certificate_is_renewed_in_time(
    tmp_path: Path, key: str, days: float, state: str, begins: str
) -> None:
    ((found_state, what, found),) = judged(tmp_path, **{key: days})
    assert (found_state, what) == (state, f"kafka.{key}")
    assert found.startswith(begins)


def test_an_old_authority_may_stay_in_the_file(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    for name, days in (("old", -1), ("new", 60)):
        write_pair(tmp_path / name, tmp_path / f"{name}.key", name, timedelta(days=days))
    both.write_text((tmp_path / "old").read_text() + (tmp_path / "new").read_text())
    kafka = KafkaSettings.model_validate({"security_protocol": "SSL", "ssl_cafile": both})
    (result,) = judge_kafka_certificates(kafka, datetime.now(UTC))
    assert result.state.value == "ok"


def test_without_tls_nothing_is_checked(tmp_path: Path) -> None:
    kafka = KafkaSettings.model_validate({"ssl_cafile": tmp_path / "missing.pem"})
    assert list(judge_kafka_certificates(kafka, datetime.now(UTC))) == []
