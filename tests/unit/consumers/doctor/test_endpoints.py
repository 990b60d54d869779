"""What gateways meet, and how it is judged."""

from datetime import UTC, datetime, timedelta

import pytest

from consumers.doctor.endpoints import EdgeFound, judge_endpoints
from consumers.doctor.results import CheckResult, CheckState
from router.configuration.settings import settings_from
from router.edge.app import checked_gates

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
FOUND = EdgeFound(NOW + timedelta(days=60), 100_000)


def judged(found: EdgeFound = FOUND, **values: object) -> list[CheckResult]:
    endpoint = {"provider": "blockatm", "account": "shop", "secrets": ["a" * 32], **values}
    edge = {"public_url": "https://pay.example.com"}
    settings = settings_from({"endpoints": {"shop": endpoint}, "edge": edge})
    return list(judge_endpoints(settings, checked_gates(settings), found, NOW))


def trouble(results: list[CheckResult]) -> list[tuple[str, str, str]]:
    return [
        (each.state.value, each.what, f"{each.found}; {each.remedy}")
        for each in results
        if each.state is not CheckState.OK
    ]


@pytest.mark.parametrize(
    ("left", "state", "found"),
    [
        (timedelta(days=14), "ok", "valid until 2026-12-14 12:00 UTC"),
        (timedelta(days=13, hours=23), "warn", "expires on 2026-12-14 11:00 UTC, in 13 days"),
        (timedelta(days=1), "warn", "expires on 2026-12-01 12:00 UTC, in 1 day"),
        (timedelta(), "fail", "expired on 2026-11-30 12:00 UTC"),
    ],
)
def test_a_certificate_is_renewed_in_time(left: timedelta, state: str, found: str) -> None:
    certificate, *_ = judged(EdgeFound(NOW + left, 100_000))
    assert (certificate.state.value, certificate.what) == (state, "certificate")
    assert certificate.found == found


def test_an_edge_without_a_certificate_is_well() -> None:
    certificate, *_ = judged(EdgeFound(None, 100_000))
    assert certificate.found == "the edge has none: a proxy before it has to end TLS"


@pytest.mark.parametrize(("descriptors", "well"), [(1600, True), (1599, False)])
def test_too_few_descriptors_are_named(descriptors: int, well: bool) -> None:  # noqa: FBT001 - a table
    found = trouble(judged(EdgeFound(None, descriptors)))
    assert [each[:2] for each in found] == ([] if well else [("warn", "file descriptors")])
    assert all("needs 1600, a process may open 1599 here; raise the limit" in t for *_, t in found)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://other.example.com", []),
        (
            "http://pay.example.com",
            (
                "http://pay.example.com for shop is not https; give gateways an https URL:"
                " others could read the deliveries"
            ),
        ),
    ],
)
def test_a_public_url_is_https(url: str, expected: str) -> None:
    found = trouble(judged(public_url=url))
    assert found == ([("warn", "public URL", expected)] if expected else [])


def test_a_rotation_is_shown() -> None:
    assert not any("keys" in each.found for each in judged())
    assert judged(secrets=["a" * 32, "b" * 32])[-1].found == (
        "2 keys are valid, as during a rotation"
    )
