"""A live run on a real Prometheus: every query has an answer, every fault fires its alert.

One run serves all tests: `play.py` is its script. Its rules are those that are shipped,
with time sped up. Each alert fires because of its real fault.
"""

from collections.abc import Iterator

import pytest

from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.monitoring.course import Course
from tests.parts.monitoring.live import FACTOR, live
from tests.parts.monitoring.play import HELD_SECONDS, LAG, play
from tests.parts.monitoring.questions import (
    AlertRule,
    Question,
    alert_rules,
    asked_by_dashboards,
    asked_by_rules,
    unanswered,
)

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("real_prometheus")]

OF_SPEED = {
    "PayrouterAvailabilityBudgetBurn",
    "PayrouterAvailabilityBudgetSlowBurn",
    "PayrouterFreshnessBudgetBurn",
    "PayrouterFreshnessBudgetSlowBurn",
}
"""Alerts on latency, which may fire on a slow machine; no test asserts its speed."""


@pytest.fixture(scope="module")
def course(
    tmp_path_factory: pytest.TempPathFactory,
    database_server: DatabaseServer,
    real_prometheus: None,  # noqa: ARG001 - before anything is started
) -> Iterator[Course]:
    """Give the run, which is over before the first test; Prometheus still answers."""
    folder = tmp_path_factory.mktemp("live")
    with fresh_database(database_server) as url, live(folder, url) as running:
        yield play(running)


def test_everything_is_scraped_and_no_alert_fires_while_all_is_well(course: Course) -> None:
    assert set(course.up.values()) == {"up"}
    assert len(course.up) == 5
    assert course.healthy <= OF_SPEED


def test_every_rule_can_be_evaluated_during_every_fault(course: Course) -> None:
    assert course.troubles == set()


@pytest.mark.parametrize("rule", alert_rules(), ids=str)
def test_alert_fires_by_its_fault_and_is_silent_before(course: Course, rule: AlertRule) -> None:
    assert str(rule) in course.fired, course.began
    told = course.fired[str(rule)]

    assert told["state"] == "firing"
    assert told["annotations"]["summary"]
    assert rule.alert in OF_SPEED or course.is_silent_before(rule)


def test_lag_of_a_consumer_whose_handler_is_held_is_as_long_as_it_is_held(course: Course) -> None:
    assert course.readings[LAG] == pytest.approx(HELD_SECONDS, abs=10)


def test_every_rule_expression_has_had_an_answer(course: Course) -> None:
    assert unanswered(course.prometheus, asked_by_rules(FACTOR), course.span) == []


def test_every_query_of_every_dashboard_has_had_an_answer(course: Course) -> None:
    asked = asked_by_dashboards(FACTOR, course.span)

    assert unanswered(course.prometheus, asked, course.span) == []


def test_a_query_for_a_metric_of_another_name_is_noticed(course: Course) -> None:
    asked = [*asked_by_rules(FACTOR), *asked_by_dashboards(FACTOR, course.span)]
    name = "payrouter_deliveries_total"
    renamed = [
        Question(each.asked_by, each.query.replace(name, "payrouter_webhooks_total"))
        for each in asked
        if f"sum(rate({name}" in each.query
    ]

    assert renamed
    missed = unanswered(course.prometheus, renamed, course.span)
    assert missed == [f"{each.asked_by}: {each.query}" for each in renamed]
