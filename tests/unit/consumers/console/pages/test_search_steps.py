"""The next step of a verdict as a link, and what a search masks."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from consumers.console.access.viewer import Role, Viewer
from consumers.console.pages.search.privacy import shown_facts, shown_text
from consumers.console.pages.search.steps import step_of
from consumers.console.pages.search.timeline import shown_groups
from consumers.console.web.sources import ConsoleSources
from consumers.console.web.texts import read_texts
from consumers.console.web.visit import ConsoleVisit, VisitPreferences
from consumers.runtime.records import Partition
from consumers.runtime.trace.gather import Trace, TraceQuestion
from consumers.runtime.trace.kept_scan import FoundDelivery, Scanned
from consumers.runtime.trace.lines import TraceLine
from consumers.runtime.trace.verdict import Problem, ProblemStep
from consumers.runtime.trail import TrailQuery
from router.configuration.settings import settings_from
from tests.parts.console.stored_deliveries import quarantined, refused

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EVERY = Viewer("ana", {"*": Role.OPERATOR}, personal=True)
READER = Viewer("sam", {"*": Role.VIEWER})
TEXTS = read_texts()


def visit(viewer: Viewer = EVERY, *, actions: bool = True) -> ConsoleVisit:
    settings = settings_from({"console": {"actions": actions}})
    sources = ConsoleSources(settings, {}, lambda: NOW)
    return ConsoleVisit(viewer, sources, VisitPreferences(TEXTS["en"]), NOW, "/search")


TRACE = Trace(
    TraceQuestion("A-1"),
    TrailQuery("A-1"),
    {},
    {},
    quarantined=Scanned([FoundDelivery(Partition("quarantine", 2), 7, quarantined(1))]),
    refused=Scanned([FoundDelivery(Partition("refused", 3), 8, refused(2))]),
)


def path_of(kind: str, subject: str | None = None, *, asked: ConsoleVisit | None = None) -> str:
    step = ProblemStep("payrouter x", "ledger", subject)
    found = step_of(asked or visit(), TRACE, Problem(kind, "", {}, step))
    assert found is not None
    assert found.key in TEXTS["en"].by_key
    return found.path


@pytest.mark.parametrize(
    ("kind", "subject", "path"),
    [
        ("dead", "7", "/groups/held/ledger/7"),
        ("parked", "7", "/groups/held/ledger/7"),
        ("braked", None, "/groups"),
        ("missing", None, "/groups"),
        ("undecided", "3f9a", "/cases/3f9a"),
        ("refused", str(UUID(int=2)), "/deliveries/refused/3/8"),
        ("quarantined", str(UUID(int=1)), f"/deliveries/do/replay?id={UUID(int=1)}"),
    ],
)
def test_each_problem_has_a_page_for_its_next_step(
    kind: str, subject: str | None, path: str
) -> None:
    assert path_of(kind, subject) == path
    assert f"search.problem.{kind}" in TEXTS["en"].by_key


@pytest.mark.parametrize("asked", [visit(READER), visit(actions=False)])
def test_without_the_right_to_replay_the_step_leads_to_the_delivery(asked: ConsoleVisit) -> None:
    subject = str(UUID(int=1))
    assert path_of("quarantined", subject, asked=asked) == "/deliveries/quarantine/2/7"


def test_a_problem_without_a_command_has_no_button() -> None:
    assert step_of(visit(), TRACE, Problem("wrong", "", {})) is None
    assert "search.problem.wrong" in TEXTS["en"].by_key


def test_data_about_customers_is_masked_for_others() -> None:
    facts = {"to": "customer", "error": "550 ann@example.com unknown", "address": "0xef"}

    assert shown_facts(visit(), facts) == facts
    assert shown_facts(visit(READER), facts) == {
        "to": "customer",
        "error": "550 a•••@example.com unknown",
        "address": "•••",
    }
    assert shown_text(visit(READER), "no address") == "no address"


def test_lines_are_grouped_and_lead_to_their_deliveries() -> None:
    line = TraceLine(NOW, "events", "ledger", "recorded", facts={"offset": "payment-1@5"})
    posted = replace(line, group="books", facts={"transaction": "1", "line 1": "a 1 EUR"})
    foreign = replace(line, group="mine", facts={"offset": "other-1@5"})

    events, books, mine = shown_groups(visit(), [line, posted, foreign])

    assert (events.title, events.lines[0].path) == ("Events", "/deliveries/payment/1/5")
    assert (books.lines[0].facts, books.lines[0].postings) == ({"transaction": "1"}, ["a 1 EUR"])
    assert (mine.title, mine.lines[0].path) == ("mine", "")
