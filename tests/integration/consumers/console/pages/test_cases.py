"""The console's page of cases: lists, filters, one case, and what operators decide."""

import csv
import io
import json

from sqlalchemy import select, text

from consumers.runtime.apply.held import HeldReason
from consumers.runtime.cases.finding import Finding
from tests.parts.console.browsing import ConsoleBrowser, PageShown
from tests.parts.console.operated import OperatedConsole
from tests.parts.runtime.counting import TABLES as COUNTED
from tests.parts.runtime.counting import numbered, record
from tests.parts.runtime.parcels import TABLES, held_record, parcel

WEIGHT = Finding("parcel-heavy", {"weight": "40 kg"})
HEAVIER = Finding("parcel-heavy", {"weight": "50 kg"})
GONE = Finding("parcel-lost", {"last seen": "Bremen"})


async def listed(browser: ConsoleBrowser, query: str = "") -> list[dict[str, str]]:
    answer = await browser.get(f"/cases.json{query}")
    assert answer.status == 200, answer.text
    found: list[dict[str, str]] = json.loads(answer.text)
    return found


async def orders(browser: ConsoleBrowser, query: str = "") -> list[str]:
    return [each["order"] for each in await listed(browser, query)]


async def case_of(browser: ConsoleBrowser, order: str) -> str:
    (found,) = await listed(browser, f"?order={order}")
    return found["case"]


def shows(answer: PageShown, *texts: str) -> bool:
    assert answer.status == 200, answer.text
    missing = [each for each in texts if each not in answer.text]
    assert not missing, (missing, answer.text)
    return True


async def test_inbox_lists_cases_with_filters_of_the_url_and_names_the_command(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    await parcel(engine, "A-1", WEIGHT)
    await parcel(engine, "A-2", GONE)
    await held_record(engine, COUNTED, record(7, numbered(7)))
    anna = await console.person("anna")

    everything = await anna.get("/cases")
    assert shows(everything, "A-1", "A-2", "A-7", "parcel-heavy", "payrouter cases list")
    assert await orders(anna, "?kind=parcel-lost") == ["A-2"]
    assert await orders(anna, "?consumer=counting") == ["A-7"]
    assert await orders(anna, "?order=A-1&hours=1") == ["A-1"]
    assert await orders(anna, "?hours=87000") == []
    assert await orders(anna, "?state=closed") == []
    one = await anna.get("/cases?kind=parcel-lost&order=A-2")
    assert shows(one, "payrouter cases list --order A-2 --kind parcel-lost")
    assert "A-1" not in one.text


async def test_wrong_filters_are_refused_with_what_is_right(console: OperatedConsole) -> None:
    anna = await console.person("anna")
    wrong = (
        *("kind=parcel-havy", "consumer=x", "hours=-1", "hours=x", "hours=nan", "state=y"),
        *("after=zz", "after=W10", "order=%00"),
    )
    for query in wrong:
        answer = await anna.get(f"/cases?{query}")
        assert answer.status == 400, query


async def test_record_that_two_consumers_hold_is_one_case_with_a_separate_id(
    console: OperatedConsole,
) -> None:
    for tables in (COUNTED, TABLES):
        await held_record(console.feed.engine, tables, record(7, numbered(7)))
    anna = await console.person("anna")
    (found,) = await listed(anna, "?order=A-7")
    assert found["consumers"] == "counting, parcels"

    shown = await anna.get(f"/cases/{found['case']}")
    assert shows(shown, "/groups/held/counting/1", "/groups/held/parcels/1")
    assert (await anna.act(f"/cases/do/close?id={found['case']}", "garbage")).status == 303

    assert await orders(anna) == []
    assert await orders(anna, "?account=shop-eu&state=closed") == ["A-7"]


async def test_pages_are_in_german_too(console: OperatedConsole) -> None:
    await parcel(console.feed.engine, "A-1", GONE)
    await held_record(console.feed.engine, COUNTED, record(7, numbered(7)))
    anna = await console.person("anna")
    case = await case_of(anna, "A-7")

    for path, words in {
        "/cases": "Was einen Menschen braucht",
        f"/cases/{case}": "konnte nicht angewendet werden",
        f"/cases/do/close?id={case}": "Weder Bücher noch Bestand ändern sich",
        "/groups": "Wer was tat",
        "/groups/dead": "bis ein Mensch sie wiederholt",
        "/groups/held/counting/1": "wartet auf einen Menschen",
    }.items():
        shown = await anna.get(f"{path}{'&' if '?' in path else '?'}lang=de")
        assert shows(shown, words, 'lang="de"')


async def test_csv_has_the_rows_of_the_filters_and_no_formula(console: OperatedConsole) -> None:
    await parcel(console.feed.engine, "=1+1", WEIGHT)
    await parcel(console.feed.engine, "A-2", GONE)
    anna = await console.person("anna")

    answer = await anna.get("/cases.csv?kind=parcel-heavy")

    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["order"], row["facts"]) == ("'=1+1", "weight 40 kg")


async def test_pages_follow_each_other_until_the_end(console: OperatedConsole) -> None:
    for number in range(60):
        await parcel(console.feed.engine, f"A-{number:02}", GONE)
    anna = await console.person("anna")

    first = await anna.get("/cases")
    rest = await anna.get("/cases?after=" + first.text.split("?after=")[1].split('"')[0])

    shown = [page.text.count("/search?q=A-") for page in (first, rest)]
    assert shown == [50, 10]
    assert 'rel="next"' not in rest.text
    assert len(await orders(anna)) == 60


async def test_case_shows_facts_meaning_commands_and_decisions(console: OperatedConsole) -> None:
    await parcel(console.feed.engine, "A-1", GONE)
    anna = await console.person("anna")
    case = await case_of(anna, "A-1")
    await anna.act(f"/cases/do/note?id={case}", "asked the carrier")

    shown = await anna.get(f"/cases/{case}")

    assert shows(shown, "A parcel is lost.", "Bremen", "payrouter trace A-1", "asked the carrier")
    assert shows(shown, "anna (console)", f"payrouter cases show {case}", "/search?q=A-1")
    assert (await anna.get("/cases/000000000000")).status == 404


async def test_markup_in_orders_and_facts_is_shown_as_text(console: OperatedConsole) -> None:
    evil = "<script>alert(1)</script>{{ 7 * 7 }}"
    await parcel(console.feed.engine, evil, Finding("parcel-lost", {"seen": evil}))
    anna = await console.person("anna")

    for path in ("/cases", f"/cases/{(await listed(anna))[0]['case']}"):
        shown = await anna.get(path)
        assert "<script>alert" not in shown.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in shown.text


async def test_case_is_assigned_closed_and_opened_again_under_the_name_signed_in(
    console: OperatedConsole,
) -> None:
    await parcel(console.feed.engine, "A-1", WEIGHT)
    otto = await console.person("otto")
    case = await case_of(otto, "A-1")

    done = await otto.act(f"/cases/do/assign?id={case}", "hers", to="anna")
    assert (done.status, done.header("location")) == (303, f"/cases/{case}")
    assert await orders(otto, "?assigned=anna") == ["A-1"]
    assert await orders(otto, "?assigned=-") == []
    await otto.act(f"/cases/do/close?id={case}", "ticket 17")
    assert await orders(otto) == []
    assert await orders(otto, "?state=closed") == ["A-1"]
    await otto.act(f"/cases/do/reopen?id={case}", "wrong one")
    assert await orders(otto) == ["A-1"]

    async with console.feed.engine.connect() as connection:
        said = (await connection.execute(select(TABLES.case_word))).all()
        kept = (await connection.execute(select(TABLES.operation))).all()
    assert [(each.word, each.who) for each in said] == [
        ("assigned", "otto (console)"),
        ("closed", "otto (console)"),
        ("reopened", "otto (console)"),
    ]
    assert [(each.who, each.what) for each in kept] == [
        ("otto (console)", "cases assign"),
        ("otto (console)", "cases close"),
        ("otto (console)", "cases reopen"),
    ]
    assert kept[1].detail == f"parcel-heavy {case} of A-1: ticket 17"


async def test_all_that_a_filter_matches_are_closed_after_their_number_was_shown(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    for number in range(3):
        await parcel(engine, f"A-{number}", GONE)
    await parcel(engine, "A-9", WEIGHT)
    anna = await console.person("anna")
    path = "/cases/do/close?all=1&kind=parcel-lost"

    preview = await anna.get(path)
    assert shows(preview, "3 entries", "payrouter cases close")
    await parcel(engine, "A-8", GONE)
    answer = await anna.post("/cases/do/close", [*preview.hidden(), ("reason", "found")])

    assert answer.status == 303
    assert sorted(await orders(anna)) == ["A-8", "A-9"]


async def test_action_needs_a_reason_and_the_cases_that_were_shown(
    console: OperatedConsole,
) -> None:
    await parcel(console.feed.engine, "A-1", WEIGHT)
    anna = await console.person("anna")
    case = await case_of(anna, "A-1")
    preview = await anna.get(f"/cases/do/close?id={case}")

    assert (await anna.post("/cases/do/close", [*preview.hidden(), ("reason", " ")])).status == 400
    await parcel(console.feed.engine, "A-1", HEAVIER)
    late = await anna.post("/cases/do/close", [*preview.hidden(), ("reason", "ticket 17")])

    assert late.status == 404
    assert await orders(anna) == ["A-1"]


async def test_another_merchants_cases_are_as_if_they_did_not_exist(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    await parcel(engine, "A-1", WEIGHT)
    await parcel(engine, "B-1", WEIGHT, account="shop-us")
    await held_record(engine, COUNTED, record(7, numbered(7)), HeldReason.CONFLICT)
    anna, otto = await console.person("anna"), await console.person("otto")
    other = await case_of(anna, "B-1")

    assert await orders(otto) == ["A-1", "A-7"]
    assert await orders(otto, "?account=shop-us") == []
    hidden = await otto.get(f"/cases/{other}")
    missing = await otto.get("/cases/000000000000")
    assert (hidden.status, missing.status) == (404, 404)
    assert (await otto.get(f"/cases/do/close?id={other}")).status == 404
    assert (await otto.post("/cases/do/close", {"id": other, "reason": "x"})).status == 403


async def test_case_of_two_consumers_is_not_called_missing_while_one_cannot_be_read(
    console: OperatedConsole,
) -> None:
    engine = console.feed.engine
    for tables in (COUNTED, TABLES):
        await held_record(engine, tables, record(7, numbered(7)), HeldReason.CONFLICT)
    anna = await console.person("anna")
    case = await case_of(anna, "A-7")

    async with engine.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {COUNTED.held} IN ACCESS EXCLUSIVE MODE"))
        assert (await anna.get(f"/cases/{case}")).status == 503
    assert (await anna.get(f"/cases/{case}")).status == 200


async def test_addresses_in_facts_are_masked_for_those_who_may_not_see_them(
    console: OperatedConsole,
) -> None:
    refused = Finding("parcel-lost", {"error": "550 <jane.doe@example.com>: unknown"})
    await parcel(console.feed.engine, "A-1", refused)
    anna, otto = await console.person("anna"), await console.person("otto")
    case = await case_of(anna, "A-1")

    for path in ("/cases", "/cases.csv", "/cases.json", f"/cases/{case}"):
        assert "jane.doe@example.com" in (await anna.get(path)).text
        masked = (await otto.get(path)).text
        assert "jane" not in masked
        assert "j•••@example.com" in masked


async def test_role_counts_for_the_merchant_of_the_case(console: OperatedConsole) -> None:
    await parcel(console.feed.engine, "A-1", WEIGHT)
    await parcel(console.feed.engine, "B-1", WEIGHT, account="shop-us")
    vera = await console.person("vera")
    eu, us = await case_of(vera, "A-1"), await case_of(vera, "B-1")

    assert (await vera.get(f"/cases/do/close?id={eu}")).status == 403
    assert (await vera.get("/cases/do/close?all=1")).status == 403
    assert (await vera.act(f"/cases/do/close?id={us}", "ticket 17")).status == 303
    assert await orders(vera) == ["A-1"]
    assert console.served.counted("payrouter_console_refused_total", reason="role") == 2
