"""Texts: languages, exact amounts, escaping of data, and errors of invalid texts."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from consumers.notifications.facts import NAMES, facts_of, order_facts
from consumers.notifications.outcomes import OrderOutcome
from consumers.notifications.rules import CALLED_OFF, KINDS, ORDER_PAID
from consumers.notifications.sending.rendering import (
    AUDIENCES,
    BUILT_IN,
    TextsError,
    checked_texts,
    open_texts,
)
from tests.parts.notifications.desk import told

LARGEST = "99999999999999999999.999999999999999999"
PAID = told(
    "payment.confirmed", amount="100.50", expected_amount="100.50", expected_currency="USDT"
)


EVENT_OF = {CALLED_OFF: "payment.failed"}
PAID_ORDER = OrderOutcome(uuid4(), "shop-eu", "A-1", "committed", datetime(2026, 1, 2, tzinfo=UTC))
SPECIFIC = (
    "order.paid",
    "payment.refunded",
    "payment.refund_failed",
    "payment.reversed",
    "payment.dispute_returned",
)


def override(folder: Path, place: str, text: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_built_in_texts_render_for_every_kind() -> None:
    checked_texts(BUILT_IN, "en")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_text_for_every_kind_in_both_languages(
    kind: str, audience: str, language: str
) -> None:
    facts = (
        facts_of(told(EVENT_OF.get(kind, kind))) if kind != ORDER_PAID else order_facts(PAID_ORDER)
    )
    texts = open_texts(None)
    written = texts.render(audience, kind, language, facts)
    assert written.subject
    assert written.body.strip()
    assert texts.render(audience, kind, "de" if language == "en" else "en", facts) != written


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", SPECIFIC)
def test_money_that_goes_back_or_comes_back_has_a_separate_text(kind: str, language: str) -> None:
    assert (BUILT_IN / language / "customer" / f"{kind}.txt").exists()


@pytest.mark.parametrize("kind", [each for each in KINDS if each.startswith("payment.")])
def test_texts_about_payments_do_not_call_the_order_paid(kind: str) -> None:
    event = told(kind, expected_amount="1000", expected_currency="USDT")
    english = open_texts(None).render("customer", kind, "en", facts_of(event))
    german = open_texts(None).render("customer", kind, "de", facts_of(event))
    assert " paid" not in f"{english.subject} {english.body}"
    assert "bezahlt" not in f"{german.subject} {german.body}"


def test_a_claimed_payment_is_not_called_received() -> None:
    claimed = facts_of(told("payment.confirmed", amount_claimed=True))
    body = open_texts(None).render("customer", "payment.confirmed", "en", claimed).body
    assert "reported" in body
    assert "received" not in body


def test_a_refund_has_its_amount_and_the_total() -> None:
    refund = told("payment.refunded", amount=None, movement="re_2", movement_amount="20.00")
    body = open_texts(None).render(
        "customer", "payment.refunded", "en", facts_of(refund, Decimal("50.00"))
    )
    assert "refunded 20.00 USDT" in body.body
    assert "in total: 50 USDT" in body.body


def test_an_amount_is_written_exactly() -> None:
    texts = open_texts(None)
    for amount in (LARGEST, "0.000000000000000001", "100.50", "1E+3"):
        event = told("payment.confirmed", amount=amount)
        body = texts.render("customer", event.type.value, "en", facts_of(event)).body
        assert f" {'1000' if amount == '1E+3' else amount} USDT " in body


def test_a_missing_amount_is_exact_and_only_shown_if_known() -> None:
    def missing(**facts: object) -> str | None:
        event = told("payment.underpaid", expected_currency="USDT", **facts)
        return facts_of(event)["missing_amount"]

    assert missing(amount="0.1", expected_amount="0.3") == "0.2"
    assert (
        missing(amount="0.000000000000000001", expected_amount=LARGEST)
        == "99999999999999999999.999999999999999998"
    )
    assert missing(amount="1", expected_amount="1.0") is None
    assert missing(amount="1", currency="EUR", expected_amount="2") is None
    too_much = facts_of(
        told("payment.overpaid", amount="3", expected_amount="2.5", expected_currency="USDT")
    )
    assert (too_much["missing_amount"], too_much["surplus_amount"]) == (None, "0.5")


def test_facts_have_every_name_and_no_customer_data() -> None:
    event = told("payment.confirmed", customer={"id": "C-1", "email": "ann@example.com"})
    facts = facts_of(event)
    assert tuple(facts) == NAMES
    assert "ann@example.com" not in str(facts)
    assert "C-1" not in str(facts)
    assert set(order_facts(PAID_ORDER)) == set(NAMES)


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_operators_text_shows_test_money_and_unread_fields(language: str) -> None:
    event = told("payment.expired", test=True, unread=["tx_hash", "occurred_at"])
    texts = open_texts(None)

    marked = texts.render("operator", "payment.expired", language, facts_of(event)).body
    plain = texts.render("operator", "payment.expired", language, facts_of(told("payment.expired")))

    assert "tx_hash, occurred_at" in marked
    assert len(marked.splitlines()) == len(plain.body.splitlines()) + 2


@pytest.mark.parametrize(
    ("language", "begins"),
    [
        ("de", "Vielen Dank"),
        ("de-AT", "Vielen Dank"),
        ("DE_de", "Vielen Dank"),
        ("en", "Thank you"),
        ("fr", "Thank you"),
        (None, "Thank you"),
        ("../../../etc", "Thank you"),
        ("de/../en", "Thank you"),
        ("", "Thank you"),
    ],
)
def test_the_customers_language_is_used_if_it_has_texts(language: str | None, begins: str) -> None:
    written = open_texts(None).render("customer", "payment.confirmed", language, facts_of(PAID))
    assert written.body.startswith(begins)


def test_the_default_language_is_preferred_to_english() -> None:
    written = open_texts(None, "de").render("customer", "payment.confirmed", "fr", facts_of(PAID))
    assert written.body.startswith("Vielen Dank")


def test_a_text_of_the_folder_overrides_only_its_kind(tmp_path: Path) -> None:
    override(tmp_path, "fr/customer/payment.confirmed.txt", "Subject: Merci\n\n{{ amount }}\n")
    texts = open_texts(tmp_path)
    french = texts.render("customer", "payment.confirmed", "fr-CA", facts_of(PAID))
    assert (french.subject, french.body) == ("Merci", "100.50")
    refund = texts.render("customer", "payment.refunded", "fr", facts_of(PAID))
    assert "refunded" in refund.subject


def test_html_is_escaped_and_plain_text_is_not(tmp_path: Path) -> None:
    text = "Subject: {{ order }}\n\n{{ order }}\n"
    override(tmp_path, "en/customer/any.txt", text)
    override(tmp_path, "en/customer/any.html", "<p>{{ order }}</p>")
    event = told("payment.pending", reference="<b>&'A-1")
    written = checked_texts(tmp_path, "en").render(
        "customer", "payment.pending", "en", facts_of(event)
    )
    assert written.html == "<p>&lt;b&gt;&amp;&#39;A-1</p>"
    assert written.body == "<b>&'A-1"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Subject: x\n\n{% if amount %}\n", 3, "Unexpected end of template"),
        ("Subject: x\n\nfine\n{{ amout }}\n", 4, "'amout' is undefined"),
        ("Subject: x\n\n{{ amount }}\n", 3, "may be unknown"),
        ("Subject: x\n\n{{ (amount or '1') | float }}\n", 3, "float"),
        ("Subject: x\n\n{{ order.__class__.__mro__ }}\n", 3, "unsafe"),
        ("no subject\n\nbody\n", 1, "Subject"),
        ("Subject: x{% if order %}y{% endif %}\nbody\n", 1, "empty line"),
    ],
)
def test_an_invalid_text_is_reported_at_startup_with_file_and_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    override(tmp_path, "en/customer/payment.confirmed.txt", text)
    with pytest.raises(TextsError) as refused:
        checked_texts(tmp_path, "en")
    assert f"en/customer/payment.confirmed.txt:{line}: " in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "place",
    [
        "payment.confirmed.txt",
        "en/customer/payment.paid.txt",
        "en/boss/any.txt",
        "en/customer/any.md",
    ],
)
def test_a_file_that_would_never_be_used_is_refused(tmp_path: Path, place: str) -> None:
    override(tmp_path, place, "Subject: x\n\nx\n")
    with pytest.raises(TextsError, match=place.rpartition("/")[2]):
        checked_texts(tmp_path, "en")


def test_a_text_cannot_include_files_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hunter2")
    folder = tmp_path / "texts"
    override(folder, "en/customer/any.txt", "Subject: x\n\n{% include '../secret.txt' %}\n")
    with pytest.raises(TextsError) as refused:
        checked_texts(folder, "en")
    assert "hunter2" not in str(refused.value)


def test_a_text_error_has_the_file_and_no_customer_data(tmp_path: Path) -> None:
    text = "Subject: x\n\n{{ reference }}\n{{ order[99] }}\n"
    override(tmp_path, "en/customer/any.txt", text)
    event = told("payment.pending", reference="secret-order")
    with pytest.raises(TextsError) as failed:
        open_texts(tmp_path).render("customer", "payment.pending", "en", facts_of(event))
    assert "any.txt:4: " in str(failed.value)
    assert "secret-order" not in str(failed.value)
