"""Judges the gateways' clocks: by what a running edge measured of the last signed deliveries."""

import math
import re
import urllib.request
from collections.abc import Iterator, Mapping

from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from router.configuration.settings import EdgeSettings

WARN_SECONDS = 60.0
"""As in the alert PayrouterGatewayClockSkew."""

ANSWER_SECONDS = 2.0

_SKEW = re.compile(
    r'^payrouter_gateway_clock_skew_seconds\{.*?endpoint="([^"]+)".*?\} (\S+)$', re.MULTILINE
)


def query_skews(edge: EdgeSettings) -> Mapping[str, float] | None:
    """Return by endpoint the seconds from signed to received; None if no edge answers here.

    An endpoint whose last delivery is not known, or had no signed time, is left out.
    """
    try:
        with urllib.request.urlopen(_metrics_of(edge), timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - our own address
            text = answer.read().decode()
    except (OSError, ValueError):
        return None
    found = {name: float(value) for name, value in _SKEW.findall(text)}
    return {name: skew for name, skew in found.items() if not math.isnan(skew)}


def judge_skews(edge: EdgeSettings, skews: Mapping[str, float] | None) -> Iterator[CheckResult]:
    """Yield the results about gateways; an unknown clock does not warn."""
    if skews is None:
        yield _about("gateways").ok(f"not known: no edge answers at {_metrics_of(edge)}")
    elif not skews:
        yield _about("gateways").ok("not known: no delivery with a signed time since its start")
    for name, skew in (skews or {}).items():
        yield _judged(name, skew)


def _judged(name: str, skew: float) -> CheckResult:
    thing = _about(f"gateway of {name}")
    if abs(skew) <= WARN_SECONDS:
        return thing.ok(f"signed within {WARN_SECONDS:.0f} s of its arrival")
    when = f"{abs(skew):.0f} s {'before' if skew > 0 else 'after'}"
    found = f"its last delivery was signed {when} its arrival"
    return thing.warn(found, "follow docs/runbooks/PayrouterGatewayClockSkew.md")


def _metrics_of(edge: EdgeSettings) -> str:
    # An edge that listens on every address listens on loopback too.
    host = "127.0.0.1" if edge.management_host in {"0.0.0.0", "::"} else edge.management_host  # noqa: S104 - compared
    return f"http://{f'[{host}]' if ':' in host else host}:{edge.management_port}/metrics"


def _about(what: str) -> CheckedThing:
    return CheckedThing(CheckedArea.ENDPOINTS, f"clock: {what}")
