"""What rules ask for is what the processes measure, by labels that are there."""

import re
from itertools import chain
from typing import Any, Final

import pytest
from promql_parser import AggregateExpr, BinaryExpr, Expr

from tests.parts.deploy.measured import measured
from tests.parts.deploy.promql import impossible, labels, parse, parts, selectors
from tests.parts.monitoring.rule_files import ALERTS, RULES

IDS: Final = [rule.get("record") or rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_rule_asks_for_series_that_are_measured_by_labels_and_values_they_have(
    rule: dict[str, Any],
) -> None:
    for selector in selectors(parse(rule["expr"])):
        name = str(selector.name)
        assert name in measured(), name
        assert impossible(selector, measured()) == []


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_rule_groups_and_joins_by_labels_that_are_there(rule: dict[str, Any]) -> None:
    for part in parts(parse(rule["expr"])):
        if isinstance(part, AggregateExpr) and part.modifier is not None:
            assert set(part.modifier.labels) <= labels(part.expr, measured()), rule["expr"]
        if isinstance(part, BinaryExpr) and part.modifier and part.modifier.matching:
            named = set(part.modifier.matching.labels)
            assert named <= labels(part.lhs, measured()), rule["expr"]
            assert named <= labels(part.rhs, measured()), rule["expr"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_words_of_an_alert_use_labels_it_has(rule: dict[str, Any]) -> None:
    expression: Expr = parse(rule["expr"])
    texts = chain(rule["annotations"].values(), rule["labels"].values())
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(texts)))

    assert used <= labels(expression, measured()) | rule["labels"].keys()
