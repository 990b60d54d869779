"""Attacks on the real console over a socket: all are refused, counted, and logged."""

from pathlib import Path

from structlog.testing import capture_logs

from consumers.console.serving.headers import POLICY
from tests.integration.consumers.console.conftest import PASSWORD, Sampled
from tests.parts.console.sample_page import SamplePage
from tests.parts.console.serving import NO_DATABASE, served_console


async def test_every_answer_has_the_strict_headers(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    paths = ("/", "/cases", "/cases.csv", "/unknown", "/cases/broken", "/sign-in", "/static/x")
    for path in (*paths, "/static/console.css"):
        answer = await browser.get(path)
        assert answer.header("content-security-policy") == POLICY, path
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "same-origin"
        kept = "static/console" in path
        assert answer.header("cache-control") == (
            "private, max-age=31536000, immutable" if kept else "no-store"
        )


async def test_pages_have_no_inline_script_or_style(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    for path in ("/", "/cases", "/sign-in", "/cases/do/close?id=2", "/unknown"):
        text = (await browser.get(path)).text.lower()
        assert "<script>" not in text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "javascript:" not in text


async def test_markup_in_data_filters_and_names_is_text(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    bad = "<img src=x onerror=alert(1)>\"'{{1234*5678}}"
    row = sampled.sample.rows[2]
    sampled.sample.rows[2] = type(row)(2, row.account, bad, row.amount)
    for path in ("/cases", f"/cases?text={bad}", "/cases/do/close?id=2", f"/{bad}?x={bad}"):
        text = (await browser.get(path.replace(" ", "%20"))).text
        assert "<img" not in text, path
        assert "7006652" not in text
    answer = await browser.get("/sign-in?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>" not in answer.text


async def test_webhooks_and_other_paths_are_unknown_and_logged(sampled: Sampled) -> None:
    browser = sampled.console.browser()
    with capture_logs() as log:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            answer = await browser.send(method, "/webhooks/shop", b"{}")
            assert answer.status == 404
    told = {"event": "console_refused", "reason": "unknown", "path": "/webhooks/shop"}
    assert [each for each in log if told.items() <= each.items()] == log
    for path in ("/../../etc/passwd", "/static/%2e%2e/app.py", "//evil", "/%00"):
        assert (await browser.get(path)).status == 404, path
    assert (await browser.send("POST", "/cases", b"")).status == 404
    assert sampled.refused("unknown") == 10


async def test_unknown_host_name_is_refused(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"):
        assert (await browser.get("/", {"host": host})).status in {400, 421}, host
    assert (await browser.get("/", {"host": "localhost"})).status in {200, 303}


async def test_large_requests_are_refused(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    csrf = (await browser.get("/")).csrf
    body = f"csrf={csrf}&reason={'x' * 300_000}".encode()
    headers = {"origin": browser.origin}
    assert (await browser.send("POST", "/cases/do/close", body, headers)).status == 413
    many = f"csrf={csrf}{'&a=1' * 5000}".encode()
    assert (await browser.send("POST", "/cases/do/close", many, headers)).status == 400
    assert (await browser.get(f"/cases?{'a=1&' * 5000}")).status == 400


async def test_failing_page_shows_no_detail(sampled: Sampled) -> None:
    browser = await sampled.browser("ada")
    with capture_logs() as log:
        answer = await browser.get("/cases/broken")
    assert answer.status == 500
    assert "missing.html" not in answer.text
    assert [each["event"] for each in log] == ["console_failed"]
    assert sampled.console.counted("payrouter_console_requests_total", outcome="failed") == 1


async def test_password_is_not_in_the_log(sampled: Sampled) -> None:
    with capture_logs() as log:
        await sampled.console.browser().sign_in("ada", f"{PASSWORD}!")
    (refused,) = (each for each in log if each["event"] == "console_sign_in_refused")
    assert (refused["person"], PASSWORD in str(log)) == ("ada", False)


PROXIED = """
[console]
proxy_header = "X-Forwarded-User"
proxy_groups_header = "X-Forwarded-Groups"
trusted_proxies = ["{trusted}"]

[console.users.maria]
roles = {{ shop = "operator" }}

[console.groups.support]
roles = {{ shop = "viewer" }}
"""


async def test_header_of_a_trusted_proxy_names_the_person(tmp_path: Path) -> None:
    text = NO_DATABASE + PROXIED.format(trusted="127.0.0.1")
    async with served_console(tmp_path, text, [SamplePage([]).page()]) as served:
        browser = served.browser()
        assert "maria" in (await browser.get("/cases", {"x-forwarded-user": "maria"})).text
        groups = {"x-forwarded-user": "eve", "x-forwarded-groups": "other, support"}
        assert "eve" in (await browser.get("/cases", groups)).text
        for name in ("eve", "", "support"):
            assert (await browser.get("/cases", {"x-forwarded-user": name})).status == 303
        assert (await browser.get("/cases")).status == 303


async def test_header_from_another_address_is_refused(tmp_path: Path) -> None:
    text = NO_DATABASE + PROXIED.format(trusted="10.0.0.7/32")
    async with served_console(tmp_path, text) as served:
        answer = await served.browser().get("/", {"x-forwarded-user": "maria"})
        assert answer.status == 303
        assert served.counted("payrouter_console_refused_total", reason="proxy") == 1
