"""The column of a subject's cases."""

from datetime import UTC, datetime, timedelta

from consumers.runtime.cases.finding import Finding, cases_column

_AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
_LATER = _AT + timedelta(hours=1)
_EXCEEDS = Finding("refund-exceeds", {"in": "30 USDT", "out": "40 USDT"})


def test_a_subject_without_a_case_has_no_column() -> None:
    first = cases_column(None, [_EXCEEDS], _AT)

    assert cases_column(None, [], _AT) is None
    assert cases_column(first, [], _LATER) is None


def test_a_case_keeps_the_moment_when_it_arose_while_its_facts_stay() -> None:
    first = cases_column(None, [_EXCEEDS], _AT)
    again = cases_column(first, [_EXCEEDS], _LATER)

    assert first == again
    assert first is not None
    assert first["refund-exceeds"]["since"] == "2026-11-22T10:00:00+00:00"


def test_changed_facts_are_a_new_case() -> None:
    first = cases_column(None, [_EXCEEDS], _AT)
    more = cases_column(
        first, [Finding("refund-exceeds", {"in": "30 USDT", "out": "50 USDT"})], _LATER
    )

    assert first is not None
    assert more is not None
    assert more["refund-exceeds"]["since"] == _LATER.isoformat()
    assert more["refund-exceeds"]["digest"] != first["refund-exceeds"]["digest"]


def test_the_digest_does_not_depend_on_the_order_of_the_facts() -> None:
    assert Finding("k", {"a": "1", "b": "2"}).digest == Finding("k", {"b": "2", "a": "1"}).digest
    assert Finding("k", {"a": "1"}).digest != Finding("l", {"a": "1"}).digest
