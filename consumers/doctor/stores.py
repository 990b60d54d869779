"""Judges what PostgreSQL reports about the store of a consumer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult
from consumers.runtime.store.connection_problems import SET_POOLER
from consumers.runtime.store.table_rights import (
    grant,
    lacks,
    missing_rights,
    no_usage,
    usage_grant,
)

LEAST_POSTGRESQL = 15
"""First version of PostgreSQL that the consumers are tested with."""

CLOCK_WARN_SECONDS = 2.0
"""No machine with a working NTP client is this far off."""

CLOCK_FAIL_SECONDS = 30.0
"""A tenth of 5 minutes, the shortest time window of a gateway: beyond it, an edge whose clock is
this far off refuses genuine deliveries that a gateway sends late or signs early."""


@dataclass(frozen=True)
class StoreFound:
    """What the database reported.

    `usable` is whether the role may use the schema; without it, `rights`, `outdated` and
    `clusters` are unknown. `ahead_seconds` is how far the database's clock is ahead of this
    machine's, less the time that the answer took.
    """

    version: int
    version_text: str
    role: str
    replica: bool
    read_only: bool
    ahead_seconds: float
    usable: bool | None
    """None if there is no such schema."""
    pooler: bool = False
    """Whether a connection pooler is between this machine and the server."""
    outdated: bool | None = None
    """Whether the tables are older than the code; None if that is unknown."""
    rights: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Rights of the role by table."""
    clusters: Sequence[str] = ()
    """Clusters of which the consumer has fences."""


@dataclass(frozen=True)
class StoreNeeds:
    """What a consumer needs of its store: the rights by table, in its schema."""

    consumer: str
    schema: str
    rights: Mapping[str, Sequence[str]]
    pooled: bool = False
    """Whether the configuration names a pooler."""


def judge_store(found: StoreFound, needs: StoreNeeds) -> Iterator[CheckResult]:
    """Yield the results about a database that answered."""
    thing = _about(needs.consumer)
    yield _version(thing, found)
    yield _pooler(needs, found)
    yield _writable(thing, found)
    yield judge_clock(thing, found.ahead_seconds)
    if found.usable is False:
        yield _no_usage(thing, found, needs)
        return
    if found.usable is None or found.outdated is not None:
        yield _tables(thing, found, needs)
    if found.usable:
        yield from _rights(thing, found, needs)


def store_away(consumer: str, problem: str) -> CheckResult:
    """Return the result about a database that did not answer."""
    known = "then run this again: nothing else of it was checked"
    if SET_POOLER in problem:
        return _pooler_of(consumer).fail(f"cannot be read: {problem}", known)
    return _about(consumer).fail(
        f"cannot be read: {problem}",
        f"check [database] url, and whether PostgreSQL runs; {known}",
    )


def _version(thing: CheckedThing, found: StoreFound) -> CheckResult:
    if found.version < LEAST_POSTGRESQL:
        return thing.fail(
            f"PostgreSQL {found.version_text} is too old",
            f"upgrade it to {LEAST_POSTGRESQL} or later",
        )
    return thing.ok(f"reachable, PostgreSQL {found.version_text}")


def _pooler(needs: StoreNeeds, found: StoreFound) -> CheckResult:
    thing = _pooler_of(needs.consumer)
    if needs.pooled and not found.pooler:
        return thing.warn(
            "there is none, but the configuration names one: every transaction takes longer",
            'remove `pooler = "transaction"` next to the URL of the database',
        )
    return thing.ok("it pools transactions, as configured" if found.pooler else "none")


def _writable(thing: CheckedThing, found: StoreFound) -> CheckResult:
    if found.replica:
        return thing.fail("this server is a replica, which is read-only", "connect to the primary")
    if found.read_only:
        return thing.fail(
            "default_transaction_read_only is on",
            f"turn it off for the server, the database and the role {found.role}",
        )
    return thing.ok("writable")


def judge_clock(thing: CheckedThing, ahead: float) -> CheckResult:
    """Return the result about a clock that is so many seconds ahead of this machine's."""
    off = abs(ahead)
    found = f"its clock is {off:.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    remedy = "synchronize both machines by NTP"
    if off > CLOCK_FAIL_SECONDS:
        return thing.fail(found, remedy)
    if off > CLOCK_WARN_SECONDS:
        return thing.warn(found, remedy)
    return thing.ok("its clock agrees with this machine's")


def _tables(thing: CheckedThing, found: StoreFound, needs: StoreNeeds) -> CheckResult:
    if found.usable is None:
        problem = f"there is no schema {needs.schema}"
    elif found.outdated:
        problem = f"the tables of {needs.consumer} are older than this version"
    else:
        return thing.ok("its tables are as new as this version")
    return thing.fail(problem, "run `payrouter db upgrade`")


def _no_usage(thing: CheckedThing, found: StoreFound, needs: StoreNeeds) -> CheckResult:
    return thing.fail(
        f"{no_usage(found.role, needs.schema)}; its tables are not checked",
        usage_grant(found.role, needs.schema),
    )


def _rights(thing: CheckedThing, found: StoreFound, needs: StoreNeeds) -> Iterator[CheckResult]:
    missing = [table for table in needs.rights if table not in found.rights]
    if missing and found.outdated is False:
        yield thing.fail(
            f"there is no table {', '.join(missing)} in the schema {needs.schema}",
            "restore it from a backup: `payrouter db upgrade` created it once",
        )
    lacking = list(missing_rights(needs.rights, found.rights))
    for table, rights in lacking:
        names = (found.role, needs.schema, table, rights)
        yield thing.fail(lacks(*names), grant(*names))
    known = sum(table in found.rights for table in needs.rights)
    if known and not lacking:
        yield thing.ok(f"the role {found.role} has its rights on {known} tables")


def _pooler_of(consumer: str) -> CheckedThing:
    return CheckedThing(CheckedArea.STORES, f"pooler of {consumer}")


def _about(consumer: str) -> CheckedThing:
    return CheckedThing(CheckedArea.STORES, f"store of {consumer}")
