"""Time sped up: durations are divided, and nothing else of a rule is touched."""

import pytest

from tests.parts.monitoring.hurried import (
    hurried_configuration,
    hurried_duration,
    hurried_query,
    hurried_rules,
)


@pytest.mark.parametrize(
    ("written", "hurried"),
    [
        ("5m", "5000ms"),
        ("1h30m", "90000ms"),
        ("3d", "4320000ms"),
        ("1w", "10080000ms"),
        ("250ms", "4ms"),
        ("0s", "0s"),
        ("1ms", "1ms"),
    ],
)
def test_a_duration_is_divided(written: str, hurried: str) -> None:
    assert hurried_duration(written, 60) == hurried


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "5m,", "1.5h"])
def test_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        hurried_duration(text, 60)


@pytest.mark.parametrize(
    ("written", "hurried"),
    [
        ("rate(a_total[5m])", "rate(a_total[5000ms])"),
        ("max_over_time(rate(a[1m])[1h:30s])", "max_over_time(rate(a[1000ms])[60000ms:500ms])"),
        ("a offset 1d > a offset -1h", "a offset 1440000ms > a offset -60000ms"),
        ("a[1h] offset 1w", "a[60000ms] offset 10080000ms"),
        ("time() - a_seconds > 3600", "time() - a_seconds > 3600"),
        ("histogram_quantile(0.99, a:b:rate5m)", "histogram_quantile(0.99, a:b:rate5m)"),
        ("payrouter:deliveries:ratio_rate1h > 14.4 * 0.001",) * 2,
        ('a{age="15m-1h", le="5m"} == 1e3', 'a{age="15m-1h", le="5m"} == 1e3'),
        ("a{b=~'1d\\'5m'} > 0x5d", "a{b=~'1d\\'5m'} > 0x5d"),
        ("a # over 5m\n[10m]", "a # over 5m\n[10000ms]"),
        ("sum by (h5m) (m5d[2h])", "sum by (h5m) (m5d[120000ms])"),
    ],
)
def test_of_a_query_only_the_durations_are_divided(written: str, hurried: str) -> None:
    assert hurried_query(written, 60) == hurried


def test_a_rule_keeps_its_name_its_threshold_and_its_words() -> None:
    alert = {
        "alert": "A",
        "expr": "rate(a[5m]) > 60",
        "for": "10m",
        "keep_firing_for": "1h",
        "labels": {"severity": "page"},
        "annotations": {"summary": "for 5m above {{ $value }}"},
    }
    record = {"record": "a:b:rate5m", "expr": "rate(a[5m])"}
    rules = {"groups": [{"name": "g", "interval": "1m", "rules": [alert, record]}]}

    (group,) = hurried_rules(rules, 60, "500ms")["groups"]

    assert group["interval"] == "1000ms"
    assert group["rules"] == [
        {
            **alert,
            "expr": "rate(a[5000ms]) > 60",
            "for": "10000ms",
            "keep_firing_for": "60000ms",
        },
        {"record": "a:b:rate5m", "expr": "rate(a[5000ms])"},
    ]


def test_intervals_never_fall_below_what_a_target_can_answer() -> None:
    configuration = {
        "global": {"scrape_interval": "10s", "scrape_timeout": "5s", "evaluation_interval": "1m"},
        "rule_files": ["/etc/prometheus/rules/*.yml"],
        "scrape_configs": [{"job_name": "a", "static_configs": [{"targets": ["a:1", "b:1"]}]}],
    }

    hurried = hurried_configuration(configuration, 60, "500ms", {"a": ["127.0.0.1:2"]}, ["r.yml"])

    assert hurried == {
        "global": {
            "scrape_interval": "500ms",
            "scrape_timeout": "500ms",
            "evaluation_interval": "1000ms",
        },
        "rule_files": ["r.yml"],
        "scrape_configs": [{"job_name": "a", "static_configs": [{"targets": ["127.0.0.1:2"]}]}],
    }
