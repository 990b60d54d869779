"""`payrouter cases`: lists what needs an operator, and keeps what operators decide."""

import getpass
import sys

import pytest
from rich.console import Console
from sqlalchemy import select

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.cases.finding import Finding
from consumers.runtime.store.migrate import upgrade
from router.contract.quarantine import Replayed
from router.contract.topics import Topics
from router.contract.wire import encode_replayed
from tests.parts.runtime.commands import Payrouter, install_only
from tests.parts.runtime.counting import SERVICE as COUNTING
from tests.parts.runtime.counting import TABLES as COUNTED
from tests.parts.runtime.counting import TRACE, numbered, record
from tests.parts.runtime.members import Feed
from tests.parts.runtime.parcels import NOW, SERVICE, TABLES, held_record, parcel
from tests.parts.runtime.quarantining import quarantined

WEIGHT = Finding("parcel-heavy", {"weight": "40 kg"})
HEAVIER = Finding("parcel-heavy", {"weight": "50 kg"})
GONE = Finding("parcel-lost", {"last seen": "Bremen"})


@pytest.fixture
async def feed(feed: Feed) -> Feed:
    """Yield the feed, with the tables of the parcels and of the counting consumer."""
    await upgrade(feed.engine, SERVICE)
    return feed


@pytest.fixture
def payrouter(payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch) -> Payrouter:
    """Yield the command with both consumers."""
    install_only(monkeypatch, COUNTING, SERVICE)
    return payrouter


async def listed(payrouter: Payrouter, *options: str) -> list[tuple[str, str]]:
    said = await payrouter("cases", "list", "--json", *options)
    assert said.status == 0, said.err
    return [(each["reference"], each["kind"]) for each in said.json["cases"]]


async def id_of(payrouter: Payrouter, *options: str) -> str:
    (found,) = (await payrouter("cases", "list", "--json", *options)).json["cases"]
    return str(found["case"])


async def test_open_cases_are_listed_by_order_with_their_commands(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    await parcel(feed.engine, "A-2", GONE, at=NOW)
    await parcel(feed.engine, "A-1", WEIGHT, GONE)

    assert await listed(payrouter) == [
        ("A-1", "parcel-heavy"),
        ("A-1", "parcel-lost"),
        ("A-2", "parcel-lost"),
    ]
    said = (await payrouter("cases", "list", "--json", "--order", "A-2")).json
    (case,) = said["cases"]
    assert (case["account"], case["severity"], case["consumers"]) == (
        "shop-eu",
        "ticket",
        ["parcels"],
    )
    assert case["facts"] == {"last seen": "Bremen"}
    assert case["commands"] == [
        "payrouter trace A-2",
        f"payrouter cases show {case['case']}",
    ]
    assert (said["quarantine"], said["omitted"], said["away"]) == (None, 0, {})


async def test_cases_are_filtered_by_kind_consumer_account_and_age(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT, GONE)
    await parcel(feed.engine, "A-2", GONE, account="shop-us")

    assert await listed(payrouter, "--kind", "parcel-heavy") == [("A-1", "parcel-heavy")]
    assert await listed(payrouter, "--account", "shop-us") == [("A-2", "parcel-lost")]
    assert await listed(payrouter, "--consumer", "counting") == []
    assert len(await listed(payrouter, "--older-than", "0.001")) == 3
    assert await listed(payrouter, "--older-than", "900000") == []
    limited = (await payrouter("cases", "list", "--json", "--limit", "2")).json
    assert (len(limited["cases"]), limited["omitted"]) == (2, 1)


@pytest.mark.parametrize("option", [("--kind", "parcel-havy"), ("--consumer", "parcel")])
async def test_unknown_kind_or_consumer_is_a_usage_error(
    payrouter: Payrouter, option: tuple[str, str]
) -> None:
    said = await payrouter("cases", "list", *option)

    assert said.status == 2
    assert f"there is no {option[0][2:]} {option[1]}; there are " in said.err


async def test_one_record_dead_in_two_consumers_is_one_case(
    feed: Feed, payrouter: Payrouter
) -> None:
    for tables in (COUNTED, TABLES):
        await held_record(feed.engine, tables, record(7, numbered(7)))

    said = (await payrouter("cases", "list", "--json")).json
    (case,) = said["cases"]
    assert (case["kind"], case["reference"]) == ("dead-record", "A-7")
    assert sorted(case["consumers"]) == ["counting", "parcels"]
    assert set(case["commands"]) >= {
        "payrouter dlq show counting 1",
        "payrouter dlq show parcels 1",
    }

    closed = await payrouter("cases", "close", case["case"], "--reason", "garbage", "--yes")
    assert (closed.status, closed.out.splitlines()[-1]) == (0, "1 case closed")
    assert await listed(payrouter) == []


async def test_record_is_closed_in_one_consumer_and_then_in_the_other(
    feed: Feed, payrouter: Payrouter
) -> None:
    for tables in (COUNTED, TABLES):
        await held_record(feed.engine, tables, record(7, numbered(7)), HeldReason.CONFLICT)
    own = await id_of(payrouter, "--consumer", "counting")
    assert (await payrouter("cases", "close", own, "--reason", "seen", "--yes")).status == 0

    (left,) = (await payrouter("cases", "list", "--json")).json["cases"]

    assert left["consumers"] == ["parcels"]
    done = await payrouter("cases", "close", left["case"], "--reason", "seen", "--yes")
    assert done.status == 0
    assert await listed(payrouter) == []


async def test_close_shows_first_and_acts_with_yes_under_the_operators_name(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    case = await id_of(payrouter)
    dry = await payrouter("cases", "close", case[:6], "--reason", "ticket 17")
    assert (dry.status, dry.out.splitlines()[-1]) == (0, "1 case would be closed; --yes does it")
    assert await listed(payrouter) == [("A-1", "parcel-heavy")]

    done = await payrouter("cases", "close", case[:6], "--reason", "ticket 17", "--yes", "--json")

    assert (done.status, done.json["done"]) == (0, True)
    assert await listed(payrouter) == []
    assert await listed(payrouter, "--closed") == [("A-1", "parcel-heavy")]
    async with feed.engine.connect() as connection:
        (word,) = (await connection.execute(select(TABLES.case_word))).all()
    assert (word.word, word.reason, word.case_id) == ("closed", "ticket 17", case)
    assert word.facts == {"weight": "40 kg"}
    assert word.who.startswith(f"{getpass.getuser()}@")
    history = (await payrouter("dlq", "history", "parcels", "--json")).json
    assert [(each["what"], each["detail"]) for each in history] == [
        ("cases close", f"parcel-heavy {case} of A-1: ticket 17")
    ]


async def test_changed_facts_open_a_closed_case_and_its_old_id_is_refused(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    case = await id_of(payrouter)
    await parcel(feed.engine, "A-1", HEAVIER)

    late = await payrouter("cases", "close", case, "--reason", "ticket 17", "--yes")

    assert late.status == 1
    assert f"there is no case {case}: it is settled, or its facts have changed" in late.err
    assert await listed(payrouter) == [("A-1", "parcel-heavy")]


async def test_case_closed_by_mistake_is_opened_again(feed: Feed, payrouter: Payrouter) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    case = await id_of(payrouter)
    early = await payrouter("cases", "reopen", case, "--reason", "wrong one", "--yes")
    assert (early.status, early.err) == (1, f"payrouter: case {case} is not closed\n")
    await payrouter("cases", "close", case, "--reason", "ticket 17", "--yes")
    twice = await payrouter("cases", "close", case, "--reason", "ticket 17", "--yes")
    assert (twice.status, twice.err) == (1, f"payrouter: case {case} is already closed\n")

    await payrouter("cases", "reopen", case, "--reason", "wrong one", "--yes")

    assert await listed(payrouter) == [("A-1", "parcel-heavy")]


async def test_show_has_meaning_page_commands_and_every_word(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", GONE)
    case = await id_of(payrouter)
    await payrouter("cases", "note", case, "--reason", "asked the gateway", "--yes")
    await payrouter("cases", "close", case, "--reason", "it was found", "--yes")

    shown = (await payrouter("cases", "show", case, "--json")).json

    assert shown["meaning"] == "A parcel is lost."
    assert shown["page"] == "docs/cases/parcel-lost.md"
    assert shown["closed"] is True
    words = [(each["word"], each["reason"]) for each in shown["words"]]
    assert words == [("note", "asked the gateway"), ("closed", "it was found")]
    people = (await payrouter("cases", "show", case)).out
    assert "payrouter trace A-1" in people
    assert "asked the gateway" in people


async def test_case_is_assigned_and_keeps_the_operator_when_its_facts_change(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    await parcel(feed.engine, "A-2", GONE)
    case = await id_of(payrouter, "--order", "A-1")

    done = await payrouter("cases", "assign", case, "--to", " anna ", "--reason", "hers", "--yes")

    assert (done.status, done.out.splitlines()[-1]) == (0, "1 case assigned")
    assert await listed(payrouter, "--assigned-to", "anna") == [("A-1", "parcel-heavy")]
    assert await listed(payrouter, "--unassigned") == [("A-2", "parcel-lost")]
    await parcel(feed.engine, "A-1", HEAVIER)
    assert await listed(payrouter, "--assigned-to", "anna") == [("A-1", "parcel-heavy")]
    shown = (await payrouter("cases", "show", await id_of(payrouter, "--order", "A-1"))).out
    assert "assigned to anna" in shown
    history = (await payrouter("dlq", "history", "parcels", "--json")).json
    assert [(each["what"], each["detail"]) for each in history] == [
        ("cases assign", f"parcel-heavy {case} of A-1 to anna: hers")
    ]


async def test_assignment_neither_closes_nor_opens_and_is_taken_back(
    feed: Feed, payrouter: Payrouter
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    case = await id_of(payrouter)
    await payrouter("cases", "assign", case, "--to", "anna", "--reason", "hers", "--yes")
    await payrouter("cases", "assign", case, "--unassign", "--reason", "on leave", "--yes")
    assert await listed(payrouter, "--unassigned") == [("A-1", "parcel-heavy")]
    await payrouter("cases", "close", case, "--reason", "done", "--yes")

    late = await payrouter("cases", "assign", case, "--to", "ben", "--reason", "his", "--yes")

    assert (late.status, late.err) == (1, f"payrouter: case {case} is already closed\n")
    assert await listed(payrouter) == []


@pytest.mark.parametrize(
    "options", [(), ("--to", "  "), ("--to", "anna", "--unassign")], ids=["none", "blank", "both"]
)
async def test_assignment_needs_one_operator_or_none(
    feed: Feed, payrouter: Payrouter, options: tuple[str, ...]
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    said = await payrouter("cases", "assign", await id_of(payrouter), *options, "--reason", "why")

    assert said.status == 2
    assert "give either --to with a name, or --unassign" in said.err


@pytest.mark.parametrize("reason", ["", "  "])
async def test_empty_reason_is_refused(feed: Feed, payrouter: Payrouter, reason: str) -> None:
    await parcel(feed.engine, "A-1", GONE)
    case = await id_of(payrouter)

    assert (await payrouter("cases", "close", case, "--reason", reason)).status == 2
    assert (await payrouter("cases", "close", case)).status == 2


async def test_deliveries_on_quarantine_are_counted_until_they_are_replayed(
    feed: Feed, payrouter: Payrouter
) -> None:
    kept = await quarantined(feed, '{"orderNo":"A-1"}', '{"orderNo":"A-2"}', '{"orderNo":"A-2"}')
    counted = (await payrouter("cases", "list", "--json")).json["quarantine"]
    assert counted == {"deliveries": 3, "older": False, "problem": None}
    note = Replayed(
        quarantined=kept[0].id,
        provider="blockatm",
        endpoint="shop",
        account="shop-eu",
        events=(),
        at=NOW,
        by="me@here",
    )
    topic = Topics(feed.prefix).quarantine
    out = encode_replayed(note, topic, TRACE)
    await feed.producer.send_and_wait(topic, out.value, out.key, partition=0)

    said = await payrouter("cases", "list")

    lines = said.out.splitlines()
    assert "2 deliveries on quarantine without effect: payrouter quarantine list" in lines
    other = (await payrouter("cases", "list", "--json", "--account", "shop-us")).json
    assert other["quarantine"]["deliveries"] == 0


async def test_absent_broker_or_database_leaves_the_other_cases(
    feed: Feed, payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parcel(feed.engine, "A-1", WEIGHT)
    monkeypatch.setenv("PAYROUTER_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    without_broker = await payrouter("cases", "list")
    assert without_broker.status == 0
    assert "parcel-heavy" in without_broker.out
    assert "not all deliveries on quarantine without effect are known" in without_broker.out
    payrouter.configure(
        '[consumers.counting.database]\nurl = "postgresql://user:hunter2@127.0.0.1:1/missing"'
    )

    said = await payrouter("cases", "list", "--quarantine-limit", "0")

    assert said.status == 1
    assert "parcel-heavy" in said.out
    assert "counting could not be read: cannot read the database missing" in said.err
    assert "hunter2" not in said.err


async def test_list_fits_80_columns_and_breaks_no_id(
    feed: Feed, payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await parcel(feed.engine, "ORD-261122080642-0766", WEIGHT, GONE)
    await held_record(feed.engine, TABLES, record(7, numbered(7)))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("router.terminal.output.console", _narrow)

    said = await payrouter("cases", "list")

    assert max(map(len, said.out.splitlines())) <= 80
    case = await id_of(payrouter, "--kind", "dead-record")
    assert case in said.out
    assert "ORD-261122080642-0766" in said.out


def _narrow() -> Console:
    return Console(file=sys.stdout, highlight=False, width=80)
