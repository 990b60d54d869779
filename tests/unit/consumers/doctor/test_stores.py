"""What the database of a consumer reports, and how it is judged."""

from dataclasses import replace

import pytest

from consumers.discovery import discover
from consumers.doctor.results import CheckState
from consumers.doctor.stores import (
    CLOCK_FAIL_SECONDS,
    CLOCK_WARN_SECONDS,
    StoreFound,
    StoreNeeds,
    judge_store,
    store_away,
)
from consumers.runtime.store.connection_problems import PoolerNotSet
from consumers.runtime.store.tables import RuntimeTables
from router.providers import discover as providers

RIGHTS = frozenset({"SELECT", "INSERT", "UPDATE"})
NEEDS = StoreNeeds("ledger", "ledger", {"fence": ("SELECT", "UPDATE"), "event": ("SELECT",)})
SOUND = StoreFound(
    version=17,
    version_text="17.2",
    role="payer",
    replica=False,
    read_only=False,
    ahead_seconds=0.0,
    usable=True,
    outdated=False,
    rights={"fence": RIGHTS, "event": frozenset({"SELECT"})},
)


def judged(**found: object) -> list[tuple[str, str]]:
    """Return state and text of what is not well about a sound store with these changes."""
    results = judge_store(replace(SOUND, **found), NEEDS)  # type: ignore[arg-type]
    return [
        (each.state.value, f"{each.found}; {each.remedy}")
        for each in results
        if each.state is not CheckState.OK
    ]


def test_a_sound_store_is_well_in_every_check() -> None:
    assert [each.found for each in judge_store(SOUND, NEEDS)] == [
        "reachable, PostgreSQL 17.2",
        "none",
        "writable",
        "its clock agrees with this machine's",
        "its tables are as new as this version",
        "the role payer has its rights on 2 tables",
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            {"version": 14, "version_text": "14.9"},
            [("fail", "PostgreSQL 14.9 is too old; upgrade it to 15 or later")],
        ),
        ({"version": 15}, []),
        (
            {"replica": True, "read_only": True},
            [("fail", "this server is a replica, which is read-only; connect to the primary")],
        ),
        (
            {"usable": None, "outdated": None, "rights": {}},
            [("fail", "there is no schema ledger; run `payrouter db upgrade`")],
        ),
        (
            {"outdated": True, "rights": {"event": RIGHTS}},
            [
                (
                    "fail",
                    "the tables of ledger are older than this version; run `payrouter db upgrade`",
                )
            ],
        ),
        (
            {"rights": {"event": RIGHTS}},
            [
                (
                    "fail",
                    (
                        "there is no table fence in the schema ledger;"
                        " restore it from a backup: `payrouter db upgrade` created it once"
                    ),
                )
            ],
        ),
        (
            {"outdated": None, "rights": {"fence": frozenset(), "event": frozenset({"INSERT"})}},
            [
                (
                    "fail",
                    (
                        "the role payer lacks SELECT, UPDATE on ledger.fence;"
                        ' GRANT SELECT, UPDATE ON "ledger"."fence" TO "payer"'
                    ),
                ),
                (
                    "fail",
                    (
                        "the role payer lacks SELECT on ledger.event;"
                        ' GRANT SELECT ON "ledger"."event" TO "payer"'
                    ),
                ),
            ],
        ),
    ],
)
def test_a_problem_is_named_with_what_to_do(
    found: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert judged(**found) == expected


@pytest.mark.parametrize(
    ("configured", "found", "state"),
    [(True, True, "ok"), (True, False, "warn"), (False, False, "ok")],
)
def test_the_pooler_is_compared_with_the_configuration(
    *, configured: bool, found: bool, state: str
) -> None:
    needs = replace(NEEDS, pooled=configured)
    results = {each.what: each for each in judge_store(replace(SOUND, pooler=found), needs)}
    assert results["pooler of ledger"].state.value == state


def test_a_pooler_that_is_not_configured_is_named_with_its_remedy() -> None:
    away = store_away("ledger", f"PoolerNotSet: {PoolerNotSet()}")
    assert away.what == "pooler of ledger"
    assert 'set `pooler = "transaction"`' in away.found
    assert "[database] url" not in away.remedy


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (2.0, []),
        (-2.0, []),
        (
            2.1,
            [
                (
                    "warn",
                    "its clock is 2.1 s ahead of this machine's; synchronize both machines by NTP",
                )
            ],
        ),
        (
            -30.0,
            [
                (
                    "warn",
                    "its clock is 30.0 s behind this machine's; synchronize both machines by NTP",
                )
            ],
        ),
        (
            30.1,
            [
                (
                    "fail",
                    "its clock is 30.1 s ahead of this machine's; synchronize both machines by NTP",
                )
            ],
        ),
        (
            -99.0,
            [
                (
                    "fail",
                    "its clock is 99.0 s behind this machine's; synchronize both machines by NTP",
                )
            ],
        ),
    ],
)
def test_a_clock_that_is_off_is_named(ahead: float, expected: list[tuple[str, str]]) -> None:
    assert judged(ahead_seconds=ahead) == expected


def test_a_clock_that_fails_is_a_tenth_of_the_shortest_window() -> None:
    windows = [each.tolerance for each in providers().values() if each.tolerance is not None]
    assert min(windows).total_seconds() / 10 == CLOCK_FAIL_SECONDS
    assert CLOCK_WARN_SECONDS < CLOCK_FAIL_SECONDS


def test_every_table_of_this_distribution_declares_the_rights_it_needs() -> None:
    tables = [
        table
        for service in discover().values()
        for own in (service.tables, RuntimeTables.of(service.schema).metadata)
        for table in own.sorted_tables
    ]
    assert len(tables) > 30
    assert [table.fullname for table in tables if "rights" not in table.info] == []
