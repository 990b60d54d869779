"""A trace on a terminal of 80 columns: complete, without torn lines, problems marked."""

import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

from rich.console import Console

from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.cases.kind import CaseKind, Severity
from consumers.runtime.trace.answer import TraceAnswer
from consumers.runtime.trace.gather import Trace, TraceQuestion
from consumers.runtime.trace.held import HeldRecord, ReceivedEvent
from consumers.runtime.trace.lines import lines_of
from consumers.runtime.trace.screen import show
from consumers.runtime.trace.verdict import verdict_of
from consumers.runtime.trail import TrailQuery, TrailStep

MOMENT = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
PAID, FAILED = UUID(int=1), UUID("6cb2d56f-233b-5534-95af-5f0a6c5c475f")
ORDER = ("shop-eu", "A-1")
TX = "0x7614a9840d9422feaef4671e0ee98dd7092ebcba6e41076285f99d0b2b0de5fe"

BOOKS = (
    TrailStep(
        MOMENT, "delivered", PAID, ORDER, {"endpoint": "blockatm-main", "gateway": "blockatm"}
    ),
    TrailStep(
        MOMENT,
        "recorded",
        PAID,
        ORDER,
        {
            "type": "payment.confirmed",
            "amount": "2000.00 USDT",
            "network": "Ethereum",
            "account": "shop-eu",
            "payment": "8210003616",
            "tx": TX,
            "offset": "payment-2@55",
        },
    ),
    TrailStep(
        MOMENT,
        "posted",
        PAID,
        ORDER,
        {
            "transaction": "17",
            "line 1": "shop-eu:blockatm:wallet:Ethereum 1998.50 USDT",
            "line 2": "shop-eu:blockatm:payments -2000.00 USDT",
        },
    ),
    TrailStep(
        MOMENT + timedelta(days=1),
        "called off after paid",
        FAILED,
        ORDER,
        {"books": "unchanged"},
        trouble=True,
    ),
)

DEAD = HeldRecord(
    id=7,
    state="dead",
    topic="payment",
    partition=2,
    offset=70,
    reason="exhausted",
    error="ValueError: the stock of S-1\x1b[2J cannot be\nbelow what is reserved " + "x" * 90,
    attempts=8,
    first_failed_at=MOMENT,
    due_at=MOMENT,
    ended_at=None,
    outcome=None,
    event_id=PAID,
    event=None,
)

STOCK = TraceAnswer(
    [TrailStep(MOMENT, "committed [bold]", PAID, ORDER, {"sku": "S-1"})],
    [ReceivedEvent(PAID, MOMENT, "payment", 2, 55)],
    [DEAD],
)


HEAVY_CASE = StoredCase(
    consumer="mine",
    id="3f9a1c02e4b7",
    kind=CaseKind("parcel-heavy", Severity.PAGE, "Too heavy.", ("payrouter trace {reference}",)),
    subject="A-1",
    account="shop-eu",
    reference="A-1",
    provider="blockatm",
    provider_reference="7",
    digest="d",
    since=MOMENT,
    facts={"weight": "40 kg\x1b[2J", "sender": "y " * 60},
    closed=False,
    held=None,
)


def shown(width: int = 80, *, colour: bool = False) -> str:
    sought = TrailQuery("A-1", frozenset({PAID, FAILED}), frozenset({ORDER}))
    own = TraceAnswer(STOCK.steps, cases=[HEAVY_CASE])
    answers = {"ledger": TraceAnswer(BOOKS), "inventory": STOCK, "mine": own}
    trace = Trace(TraceQuestion("A-1"), sought, answers, dict.fromkeys(answers, frozenset()))
    lines = lines_of(trace)
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, force_terminal=colour)
    show(console, trace, lines, verdict_of(trace, lines, MOMENT), ["this is a note"])
    return out.getvalue()


def test_no_line_is_wider_than_the_terminal() -> None:
    for width in (60, 80, 120):
        assert max(map(len, shown(width).splitlines())) <= width


def test_groups_follow_the_path_of_a_payment_with_their_days() -> None:
    titles = [line for line in shown().splitlines() if "2026-11-" in line]
    assert titles == [
        "deliveries  2026-11-22",
        "events  2026-11-22",
        "books  2026-11-22",
        "       2026-11-23",
        "stock  2026-11-22",
        "mine  2026-11-22",
        "held  2026-11-22",
    ]


def test_hashes_and_ids_are_not_split_and_amounts_are_aligned() -> None:
    lines = [line.strip() for line in shown().splitlines()]
    assert TX in lines
    assert f"event {PAID}" in lines
    assert "shop-eu:blockatm:wallet:Ethereum   1998.50 USDT" in lines
    assert "shop-eu:blockatm:payments         -2000.00 USDT" in lines


def test_only_problems_are_marked() -> None:
    marked = [line.split("! ")[1].split("  ")[0] for line in shown().splitlines() if "! " in line]
    assert marked == ["called off after paid", "dead in inventory"]


def test_last_line_has_the_next_step() -> None:
    *_, note, last = shown().splitlines()
    assert note == "note: this is a note"
    assert last == "dead in inventory: payrouter dlq show inventory 7"


def test_open_cases_come_last_with_their_commands() -> None:
    lines = shown().splitlines()
    case = lines.index("open cases")
    assert lines[case + 1].startswith("  3f9a1c02e4b7  parcel-heavy (page), ")
    assert "weight 40 kg" in lines[case + 2]
    commands = [line.strip() for line in lines[case:] if line.startswith("    payrouter")]
    assert commands == ["payrouter trace A-1", "payrouter cases show 3f9a1c02e4b7"]
    assert case > lines.index("held  2026-11-22")


def test_foreign_text_cannot_move_the_cursor_or_act_as_markup() -> None:
    said = shown()
    assert "\x1b" not in said
    assert "cannot be below" in " ".join(said.split())
    assert "committed [bold]" in said


def test_colours_are_for_terminals() -> None:
    assert "\x1b[1;31m" in shown(colour=True)


def test_a_transfer_without_an_event_is_in_the_books() -> None:
    moved = TrailStep(MOMENT, "transferred", order=ORDER, facts={"transaction": "18"})
    answers = {"ledger": TraceAnswer([moved])}
    trace = Trace(TraceQuestion("A-1"), TrailQuery("A-1"), answers, {"ledger": frozenset()})
    verdict = verdict_of(trace, lines_of(trace), MOMENT)
    assert not verdict.trouble
    assert verdict.words == ("moved by an operator, in the books as transaction 18; nothing to do")
