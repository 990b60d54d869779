"""Judges what gateways meet: public URLs, the edge's certificate, keys, file descriptors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from consumers.doctor.certificates import judge_validity
from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from router.configuration.settings import Settings
from router.edge.gate import Gate
from router.edge.http.descriptors import RESERVED, fitted


@dataclass(frozen=True)
class EdgeFound:
    """What the edge's files and this process have.

    `expires` is the end of the edge's certificate, None if it has none; `descriptors` are those
    that a process like this one may open.
    """

    expires: datetime | None
    descriptors: int


def judge_endpoints(
    settings: Settings, gates: Mapping[str, Gate], found: EdgeFound, now: datetime
) -> Iterator[CheckResult]:
    """Yield the results about the endpoints of a configuration that an edge starts with."""
    edge_url = settings.edge.public_url
    yield _certificate(found.expires, now)
    yield _descriptors(settings, found.descriptors)
    names: dict[str | None, list[str]] = {}
    for name in gates:
        names.setdefault(settings.endpoints[name].public_url or edge_url, []).append(name)
    for url, of in names.items():
        yield _public_url(url, ", ".join(of))
    for name, gate in gates.items():
        yield from _keys(name, len(gate.endpoint.keys))


def no_endpoints() -> CheckResult:
    """Return the result about a configuration that may be a consumer's alone."""
    return CheckedThing(CheckedArea.ENDPOINTS, "endpoints").warn(
        "none is configured",
        "add [endpoints.NAME] if an edge uses this configuration: it would not start",
    )


def _certificate(expires: datetime | None, now: datetime) -> CheckResult:
    thing = CheckedThing(CheckedArea.ENDPOINTS, "certificate")
    if expires is None:
        return thing.ok("the edge has none: a proxy before it has to end TLS")
    remedy = "renew edge.tls_certificate; a running edge loads the new pair by itself"
    return judge_validity(thing, expires, now, remedy)


def _descriptors(settings: Settings, descriptors: int) -> CheckResult:
    thing = CheckedThing(CheckedArea.ENDPOINTS, "file descriptors")
    workers, edge = settings.edge.workers, settings.edge
    unproved, places = -(-edge.max_unproved // workers), -(-edge.max_in_flight // workers)
    room = fitted(unproved, places, descriptors)
    wanted = unproved + places + RESERVED
    if (room.unproved, room.places) == (unproved, places):
        return thing.ok(f"a process may open the {wanted} that the edge needs")
    return thing.warn(
        f"an edge process needs {wanted}, a process may open {descriptors} here",
        f"raise the limit (LimitNOFILE, ulimit -n); it would serve only {room.places}"
        " deliveries at once",
    )


def _public_url(url: str | None, names: str) -> CheckResult:
    thing = CheckedThing(CheckedArea.ENDPOINTS, "public URL")
    if url is None:
        return thing.warn(f"none for {names}", "set edge.public_url to what the gateways see")
    if not url.startswith("https://"):
        return thing.warn(
            f"{url} for {names} is not https",
            "give gateways an https URL: others could read the deliveries",
        )
    return thing.ok(f"{url} for {names}")


def _keys(name: str, keys: int) -> Iterator[CheckResult]:
    if keys > 1:
        thing = CheckedThing(CheckedArea.ENDPOINTS, f"endpoint {name}")
        yield thing.ok(f"{keys} keys are valid, as during a rotation")
