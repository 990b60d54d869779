"""Prometheus' configuration, rules and queries with time sped up: every duration divided.

What a rule does in an hour can then be seen in a minute, with the very rules that are shipped.
Only durations change: numbers that are compared with stay as they are.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

LEAST_MILLISECONDS: Final = 1

_MILLISECONDS: Final = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "y": 365 * 86_400_000,
}
_PART: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_WHOLE: Final = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_TOKEN: Final = re.compile(
    r"""
      (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\#[^\n]*)
    | (?P<name>[A-Za-z_][A-Za-z0-9_:]*)
    | (?P<duration>(?:\d+(?:ms|[smhdwy]))+)(?![A-Za-z0-9_])
    | (?P<number>\d[\w.]*)
    """,
    re.VERBOSE,
)


def hurried_duration(text: str, factor: float) -> str:
    """Divide a duration as Prometheus writes it; what is not nothing does not become nothing."""
    if not _WHOLE.fullmatch(text):
        message = f"{text} is not a duration"
        raise ValueError(message)
    whole = sum(int(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text))
    if not whole:
        return "0s"
    return f"{max(LEAST_MILLISECONDS, round(whole / factor))}ms"


def hurried_query(query: str, factor: float) -> str:
    """Divide every duration of a query: ranges, subqueries, offsets."""

    def hurry(token: re.Match[str]) -> str:
        duration = token["duration"]
        return hurried_duration(duration, factor) if duration else token[0]

    return _TOKEN.sub(hurry, query)


def hurried_rules(rules: Mapping[str, Any], factor: float, least: str) -> dict[str, Any]:
    """Speed up a rule file; no group is evaluated more often than each `least`."""
    return {**rules, "groups": [_hurried_group(each, factor, least) for each in rules["groups"]]}


def hurried_configuration(
    configuration: Mapping[str, Any],
    factor: float,
    least: str,
    targets: Mapping[str, Sequence[str]],
    rule_files: Sequence[str],
) -> dict[str, Any]:
    """Speed up a configuration, with the jobs that have targets and the rule files given."""
    jobs = [
        {**_hurried(job, factor, least), "static_configs": [{"targets": list(targets[name])}]}
        for job in configuration["scrape_configs"]
        for name in [job["job_name"]]
        if name in targets
    ]
    return {
        "global": _hurried(configuration["global"], factor, least),
        "rule_files": list(rule_files),
        "scrape_configs": jobs,
    }


def _hurried_group(group: Mapping[str, Any], factor: float, least: str) -> dict[str, Any]:
    return {
        **_hurried(group, factor, least),
        "rules": [_hurried_rule(rule, factor) for rule in group["rules"]],
    }


def _hurried_rule(rule: Mapping[str, Any], factor: float) -> dict[str, Any]:
    waits = {
        key: hurried_duration(str(rule[key]), factor)
        for key in ("for", "keep_firing_for")
        if key in rule
    }
    return {**rule, **waits, "expr": hurried_query(rule["expr"], factor)}


def _hurried(table: Mapping[str, Any], factor: float, least: str) -> dict[str, Any]:
    """Speed up how often something is done; it is done no more often than each `least`."""
    changed = dict(table)
    for key, value in table.items():
        if key == "interval" or key.endswith("_interval"):
            changed[key] = _longer(hurried_duration(str(value), factor), least)
        elif key.endswith("_timeout"):
            # A process answers no quicker than it does, but not after the next question.
            changed[key] = least
    return changed


def _longer(one: str, other: str) -> str:
    return max(one, other, key=_milliseconds)


def _milliseconds(text: str) -> int:
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text))
