"""The questions of the live run: all that dashboards and rules ask, as they would ask it."""

import json
import re

from tests.parts.monitoring.questions import (
    DASHBOARDS,
    Span,
    alert_rules,
    asked_by_dashboards,
    asked_by_rules,
    read_rules,
    rule_files,
)

SPAN = Span(start=1000.0, end=1200.0, step=1.0)


def test_every_target_annotation_and_variable_of_every_dashboard_is_queried() -> None:
    texts = [path.read_text() for path in DASHBOARDS.glob("*.json")]
    queries = sum(text.count('"expr": ') for text in texts)
    variables = sum(
        variable["type"] == "query"
        for text in texts
        for variable in json.loads(text)["templating"]["list"]
    )

    assert len(texts) > 1
    assert len(list(asked_by_dashboards(60, SPAN))) == queries + variables


def test_every_rule_is_queried() -> None:
    rules = [
        rule for path in rule_files() for g in read_rules(path)["groups"] for rule in g["rules"]
    ]

    assert len(list(asked_by_rules(60))) == len(rules)
    assert len(alert_rules()) == sum("alert" in rule for rule in rules)
    assert len({str(rule) for rule in alert_rules()}) == len(alert_rules())


def test_no_variable_of_grafana_is_left_in_a_question() -> None:
    for asked in asked_by_dashboards(60, SPAN):
        # What stays are the groups of `label_replace`.
        assert not re.search(r"\$[^\d]", asked.query), asked


def test_the_range_of_a_question_is_the_whole_run_and_a_rate_spans_some_scrapes() -> None:
    queries = [asked.query for asked in asked_by_dashboards(60, SPAN)]

    assert any("[4000ms]" in query for query in queries)
    assert not any("[200000ms]" in query for query in queries)
