"""Lists at the real console: pages by keyset, CSV and JSON of everything, accounts."""

import csv
import json
import re

from tests.integration.consumers.console.conftest import Sampled


def numbers(text: str) -> list[int]:
    """Return the numbers of the rows of a page."""
    return [int(each) for each in re.findall(r'<td class="number"[^>]*>\s*(\d+)', text)]


async def test_pages_follow_each_other_without_gap_or_repetition(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    found, path = [], "/cases"
    while path:
        page = await browser.get(path)
        assert page.status == 200
        found += numbers(page.text)
        link = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = link[1] if link else ""
    assert found == list(range(25))


async def test_csv_and_json_have_every_row_and_honour_the_filter(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    listed = list(csv.reader((await browser.get("/cases.csv")).text.splitlines()))
    assert listed[0] == ["number", "text", "amount"]
    assert listed[3] == ["2", "'=cmd2", "-2.500"]
    assert len(listed) == 26
    answer = await browser.get("/cases.json?text=%3Dcmd3")
    assert json.loads(answer.text) == [{"number": 3, "text": "=cmd3", "amount": "-3.500"}]
    assert answer.header("content-disposition") == 'attachment; filename="sample.json"'
    assert json.loads((await browser.get("/cases.json?text=none")).text) == []
    assert (await browser.get("/cases.csv?text=none")).text == "number,text,amount\r\n"


async def test_export_reads_a_bounded_number_of_rows_at_a_time(sampled: Sampled) -> None:
    await (await sampled.browser("ada")).get("/cases.csv")
    assert {question.limit for question in sampled.sample.questions} == {500}


async def test_rows_alone_are_a_part_of_the_page_for_live_updates(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    page, rows = await browser.get("/cases?text=%3Dcmd3"), await browser.get("/cases.rows")
    assert 'hx-get="/cases.rows?text=%3Dcmd3"' in page.text
    assert "<html" not in rows.text
    assert numbers(rows.text) == list(range(10))


async def test_viewer_of_one_account_sees_its_rows_and_masked_texts(sampled: Sampled) -> None:
    browser = await sampled.browser("olga")
    listed = list(csv.reader((await browser.get("/cases.csv")).text.splitlines()))
    assert [int(row[0]) for row in listed[1:]] == list(range(0, 25, 2))
    assert {row[1] for row in listed[1:]} == {"'=•••"}
    assert "cmd" not in (await browser.get("/cases")).text


async def test_page_names_the_command_with_its_filters(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    page = await browser.get("/cases?text=$(reboot)")
    assert "cases list --text &#39;$(reboot)&#39;" in page.text


async def test_wrong_cursor_is_a_clear_error(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    for cursor in ("x", "WzFd.", "e30", "WyJhIl0", "W10", "Ww"):
        answer = await browser.get(f"/cases?after={cursor}")
        assert answer.status == 400, cursor
        assert "after" in answer.text
