"""Actions at the real console: role, token, origin, count and reason come first."""

from pathlib import Path

import pytest

from tests.integration.consumers.console.conftest import Sampled
from tests.parts.console.browsing import ConsoleBrowser
from tests.parts.console.sample_page import SamplePage, SampleRow
from tests.parts.console.serving import NO_DATABASE, served_console

CLOSE = "/cases/do/close"


async def form_of(browser: ConsoleBrowser, path: str) -> list[tuple[str, str]]:
    page = await browser.get(path)
    assert page.status == 200, page.text
    return [*page.hidden(), ("reason", "seen")]


async def test_operator_confirms_a_count_with_a_reason(sampled: Sampled) -> None:
    browser = await sampled.browser("olga")
    preview = await browser.get(f"{CLOSE}?id=2&id=4")
    assert "2 entries" in preview.text
    assert "=cmd4" in preview.text
    answer = await browser.act(f"{CLOSE}?id=2&id=4", "refunded by mail")
    assert (answer.status, answer.header("location")) == (303, "/cases")
    assert sampled.sample.done == [("olga (console)", ["2", "4"], "refunded by mail")]
    assert "closed 2" in (await browser.get("/cases")).text
    assert "closed 2" not in (await browser.get("/cases")).text


async def test_reason_is_required(sampled: Sampled) -> None:
    browser = await sampled.browser("olga")
    fields = await form_of(browser, f"{CLOSE}?id=2")
    for reason in ("", "   "):
        answer = await browser.post(CLOSE, [*fields[:-1], ("reason", reason)])
        assert (answer.status, "reason is required" in answer.text) == (400, True)
    assert sampled.sample.done == []


async def test_changed_count_is_confirmed_again(sampled: Sampled) -> None:
    browser = await sampled.browser("olga")
    fields = await form_of(browser, f"{CLOSE}?id=2&id=4")
    del sampled.sample.rows[4]
    answer = await browser.post(CLOSE, fields)
    assert (answer.status, "has changed" in answer.text) == (409, True)
    assert sampled.sample.done == []


async def test_form_without_its_token_or_from_elsewhere_is_refused(sampled: Sampled) -> None:
    browser, other = await sampled.browser("olga"), await sampled.browser("vera")
    fields = await form_of(browser, f"{CLOSE}?id=2")
    bare = [each for each in fields if each[0] != "csrf"]
    foreign = [("csrf", (await other.get("/")).csrf), *bare]
    for sent in (bare, foreign, [("csrf", "0" * 64), *bare], [("csrf", "ä"), *bare]):
        assert (await browser.post(CLOSE, sent)).status == 403
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://evil.example/{browser.origin}"},
        {"origin": f"http://127.0.0.1:{browser.port + 1}"},
    ):
        assert (await browser.post(CLOSE, fields, headers)).status == 403
    without_origin = await browser.send("POST", CLOSE, b"csrf=x")
    assert without_origin.status == 403
    assert sampled.sample.done == []
    assert sampled.refused("csrf") == 9


async def test_viewer_of_the_account_may_not_act_on_it(sampled: Sampled) -> None:
    browser = await sampled.browser("vera")
    assert (await browser.get(f"{CLOSE}?id=2")).status == 403
    fields = await form_of(browser, f"{CLOSE}?id=3")
    mixed = [pair for pair in fields if pair[0] != "id"] + [("id", "2"), ("id", "3")]
    assert (await browser.post(CLOSE, mixed)).status == 403
    assert sampled.sample.done == []
    assert sampled.refused("role") == 2


async def test_row_of_another_account_looks_like_a_missing_one(sampled: Sampled) -> None:
    browser = await sampled.browser("olga")
    foreign, missing = await browser.get(f"{CLOSE}?id=3"), await browser.get(f"{CLOSE}?id=999")
    assert foreign.text == missing.text.replace("999", "3")
    assert "Nothing would change" in missing.text


async def test_nothing_is_done_while_actions_are_off(
    sampled: Sampled, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await sampled.browser("olga")
    fields = await form_of(browser, f"{CLOSE}?id=2")
    settings = sampled.console.process.sources.settings
    monkeypatch.setitem(settings.console.__dict__, "actions", 0)
    for answer in (await browser.get(f"{CLOSE}?id=2"), await browser.post(CLOSE, fields)):
        assert answer.status == 403
        assert "only reads" in answer.text
    assert "Read-only" in (await browser.get("/")).text
    assert sampled.sample.done == []


async def test_actions_are_off_unless_configured(tmp_path: Path) -> None:
    sample = SamplePage([])
    assert sample.rows == list[SampleRow]()
    async with served_console(tmp_path, NO_DATABASE, [sample.page()]) as served:
        assert (await served.browser().get(f"{CLOSE}?id=2")).status == 403
