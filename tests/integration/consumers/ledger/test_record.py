"""`payrouter ledger record`: what it shows, what it records, and what it refuses."""

import asyncio
import json
import shlex
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import make_url

from consumers.ledger.recording.finding import Sought
from consumers.ledger.recording.recording import record as record_statement
from consumers.ledger.recording.statement import Statement
from router.contract.event import EventType
from router.terminal.operator_name import operator_name
from tests.parts.ledger.asked import ask, asked, run, set_up, settings
from tests.parts.ledger.recording import (
    operations,
    outgoing,
    record,
    recorded_by_command,
    relay,
    shown,
)
from tests.parts.ledger.told import told

PAID = told("payment.confirmed", "100")


def _balances(url: str) -> dict[str, str]:
    return {
        f"{each['account'].split(':', 2)[2]} {each['currency']}": each["balance"]
        for each in asked(url, "balance")["accounts"]
        if each["balance"].strip("0.")
    }


def _kinds(findings: list[dict[str, Any]]) -> list[str]:
    return [each["kind"] for each in findings]


def test_what_is_known_and_would_change_is_shown_and_nothing_is_recorded(ledger_url: str) -> None:
    set_up(ledger_url, [PAID, told("payment.confirmed", "80", at=1)])

    found = shown(ledger_url)

    assert (found["done"], found["event_id"]) == (False, None)
    assert found["known"] == ["gateway 100 USDT"]
    assert {each["account"]: each["amount"] for each in found["postings"]} == {
        "shop-eu:blockatm:wallet:Ethereum": "-10",
        "shop-eu:blockatm:payments": "10",
    }
    assert _kinds(found["closed"]) == ["amount-lowered"]
    assert (found["opened"], found["remaining"]) == ([], [])
    assert outgoing(ledger_url) == []


def test_the_command_to_repeat_records_the_statement_that_was_shown(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    repeated = shown(ledger_url, reason='seen "on chain"; $block')["command"]

    program, ledger, *words = shlex.split(repeated)
    assert (program, ledger) == ("payrouter", "ledger")
    assert ask(ledger_url, *words).exit_code == 0

    ((sent, event),) = outgoing(ledger_url)
    assert (sent.topic, sent.key) == ("payment", PAID.key)
    assert (event.provider, event.gateway, event.endpoint) == ("operator", "blockatm", "operator")
    assert event.recorded is not None
    assert event.recorded.by == event.verification.key == operator_name()
    assert event.recorded.reason == 'seen "on chain"; $block'
    assert str(event.recorded.replaces) == "100"
    assert event.recorded.version == words[words.index("--version") + 1]


def test_a_recorded_amount_is_booked_once_it_is_relayed(ledger_url: str) -> None:
    set_up(ledger_url, [told("payment.confirmed")])

    done = recorded_by_command(ledger_url, amount="99.50")

    assert _kinds(done["closed"]) == ["amount-unknown"]
    assert _balances(ledger_url) == {}
    relay(ledger_url)
    assert _balances(ledger_url) == {"wallet:Ethereum USDT": "99.50", "payments USDT": "-99.50"}
    assert asked(ledger_url, "verify")["good"]


def test_a_statement_names_who_recorded_it_and_why(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    recorded_by_command(ledger_url)
    relay(ledger_url)

    *_, last = asked(ledger_url, "statement")["transactions"]

    assert last["recorded"] == {"by": operator_name(), "reason": "seen on chain"}
    table = ask(ledger_url, "statement").stdout
    assert f"recorded by {operator_name()}: seen on chain" in table


def test_an_amount_of_zero_takes_everything_back(ledger_url: str) -> None:
    set_up(ledger_url, [told("payment.confirmed", "20", amount_claimed=True)])
    recorded_by_command(ledger_url, amount="0")
    relay(ledger_url)
    assert _balances(ledger_url) == {}
    assert asked(ledger_url, "verify")["good"]


def test_amounts_in_other_currencies_were_seen_by_the_operator(ledger_url: str) -> None:
    set_up(ledger_url, [PAID, told("payment.confirmed", "90", currency="EUR")])
    found = recorded_by_command(ledger_url, amount="90", currency="EUR")
    assert (_kinds(found["closed"]), found["opened"]) == (["other-currency"], [])
    ((_, event),) = outgoing(ledger_url)
    assert event.recorded is not None
    assert {c: str(a) for c, a in event.recorded.other_currencies.items()} == {"USDT": "100"}


def test_a_movement_is_recorded_by_its_id(ledger_url: str) -> None:
    refund = told("payment.refunded", movement="re-1", movement_amount="30")
    set_up(ledger_url, [PAID, refund])
    options = {"type": "payment.refunded", "movement": "re-1", "amount": "20"}
    found = recorded_by_command(ledger_url, **options)
    assert found["known"] == ["gateway 30 USDT"]
    relay(ledger_url)
    assert _balances(ledger_url)["refunds USDT"] == "20"


def test_a_payout_that_no_event_was_about_is_recorded_with_account_and_provider(
    ledger_url: str,
) -> None:
    set_up(ledger_url, [])
    options = {"type": "payout.confirmed", "account": "shop-eu", "provider": "resmic"}
    options |= {"order": "W-17", "at": "2026-01-02"}
    found = recorded_by_command(ledger_url, "W-17", **options)
    assert (found["status"], found["family"], found["day"]) == (None, "payout", "2026-01-02")
    ((sent, event),) = outgoing(ledger_url)
    assert (sent.topic, event.reference, event.gateway) == ("payout", "W-17", "resmic")
    relay(ledger_url)
    assert _balances(ledger_url) == {"payouts USDT": "90", "wallet USDT": "-90"}
    assert asked(ledger_url, "verify")["good"]


def test_an_unknown_payment_is_refused_with_what_it_could_be(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    result = record(ledger_url, "order of P-1")
    assert result.exit_code == 1
    assert "payment order of P-1 is not known" in result.stderr
    assert "payment P-1: --account shop-eu --provider blockatm (confirmed" in result.stderr


def test_an_ambiguous_payment_is_refused_with_the_options_that_decide(ledger_url: str) -> None:
    set_up(ledger_url, [PAID, told("payment.confirmed", "7", provider="blockbee")])
    result = record(ledger_url)
    assert result.exit_code == 1
    assert "payment P-1 is ambiguous" in result.stderr
    assert "--account shop-eu --provider blockbee" in result.stderr
    assert shown(ledger_url, provider="blockbee")["known"] == ["gateway 7 USDT"]


def test_a_payment_that_changed_since_the_version_is_refused(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    version = shown(ledger_url)["version"]
    set_up(ledger_url, [told("payment.confirmed", "120", at=1)])

    result = record(ledger_url, "P-1", "--yes", version=version)

    assert result.exit_code == 1
    assert "payment P-1 changed since that version; nothing was recorded" in result.stderr
    assert outgoing(ledger_url) == []
    assert operations(ledger_url) == []


def test_the_same_command_twice_records_once(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    version = shown(ledger_url)["version"]
    assert record(ledger_url, "P-1", "--yes", version=version).exit_code == 0
    again = record(ledger_url, "P-1", "--yes", version=version)
    assert again.exit_code == 1
    assert f"a statement that {operator_name()} recorded" in again.stderr
    assert len(outgoing(ledger_url)) == 1
    relay(ledger_url)
    assert record(ledger_url, "P-1", "--yes", version=version).exit_code == 1


@pytest.mark.parametrize("payment", ["P-1", "new"])
def test_of_two_operators_at_once_one_is_refused(ledger_url: str, payment: str) -> None:
    set_up(ledger_url, [PAID])
    options = {} if payment == "P-1" else {"account": "shop-eu", "provider": "resmic"}
    version = shown(ledger_url, payment, **options)["version"]
    sought = Sought("payment", payment, **options)

    async def both() -> list[object]:
        acts = [
            record_statement(settings(ledger_url), sought, _statement(amount), version)
            for amount in ("70", "80")
        ]
        return await asyncio.gather(*acts, return_exceptions=True)

    results = asyncio.run(both())
    assert sorted(type(each).__name__ for each in results) == ["CommandError", "Proposal"]
    assert len(outgoing(ledger_url)) == len(operations(ledger_url)) == 1


def _statement(amount: str) -> Statement:
    kind = EventType.PAYMENT_CONFIRMED
    return Statement(kind, Decimal(amount), "USDT", "seen on chain", "anna")


def test_an_operation_that_cannot_be_recorded_leaves_no_event(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    version = shown(ledger_url)["version"]
    run(
        ledger_url,
        "CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'killed in between'; END $$",
        "CREATE TRIGGER refused BEFORE INSERT ON ledger.operation"
        " FOR EACH ROW EXECUTE FUNCTION ledger.refuse()",
    )
    result = record(ledger_url, "P-1", "--yes", version=version)
    assert (result.exit_code, outgoing(ledger_url)) == (1, [])
    assert "killed in between" in result.stderr


def test_a_statement_that_the_broker_refused_is_shown_as_not_applied(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    done = recorded_by_command(ledger_url)
    run(ledger_url, "UPDATE ledger.outbox SET refused = 'too large'")
    found = shown(ledger_url)
    assert [each["event_id"] for each in found["waiting"]] == [done["event_id"]]
    assert found["version"] != done["version"]


def test_a_second_statement_corrects_the_first(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    recorded_by_command(ledger_url, amount="80")
    relay(ledger_url)
    found = recorded_by_command(ledger_url, amount="95", at="2026-01-01")
    assert found["known"] == ["gateway 100 USDT", "operator 80 USDT"]
    assert found["opened"] == []
    relay(ledger_url)
    assert _balances(ledger_url)["payments USDT"] == "-95"


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"amount": "-1"}, 2, "must not be negative"),
        ({"amount": "1e400"}, 2, "at most 20 integer digits"),
        ({"amount": "0.0000000000000000001"}, 2, "at most 18 decimals"),
        ({"amount": "1,5"}, 2, "decimal digits"),
        ({"amount": ""}, 2, "decimal digits"),
        ({"amount": "NaN"}, 2, "finite"),
        ({"type": "payment.pending"}, 2, "payment.pending"),
        ({"type": "subscription.renewed"}, 2, "subscription.renewed"),
        ({"currency": " "}, 2, "must not be empty"),
        ({"currency": "usdt"}, 1, "write USDT"),
        ({"currency": "U" * 513}, 1, "at most 512"),
        ({"reason": " "}, 2, "must not be empty"),
        ({"reason": "a\nb"}, 1, "control characters"),
        ({"movement": "x" * 513}, 1, "at most 512"),
        ({"at": "2999-01-01"}, 1, "is in the future"),
        ({"order": "B-2"}, 1, "is for order order of P-1, not B-2"),
        ({"account": "shop-eu", "provider": "operator"}, 1, "operator is reserved"),
    ],
    ids=lambda value: (
        "".join(f"{n}={v[:12]!r}" for n, v in value.items()) if isinstance(value, dict) else None
    ),
)
def test_an_unsuitable_statement_is_refused(
    ledger_url: str, options: dict[str, str], status: int, message: str
) -> None:
    set_up(ledger_url, [PAID])
    result = record(ledger_url, **options)
    assert result.exit_code == status, result.output
    assert message in result.stderr


def test_yes_without_the_version_that_was_shown_is_wrong_usage(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    result = record(ledger_url, "P-1", "--yes")
    assert result.exit_code == 2
    assert "--yes needs --version" in result.stderr


def test_a_reason_is_needed_to_record_but_not_to_look(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    amount = ("--type", "payment.confirmed", "--amount", "90", "--currency", "USDT")
    looked = ask(ledger_url, "record", "P-1", *amount)
    assert looked.exit_code == 0
    assert "to record it, run with --reason TEXT:" in looked.stdout
    result = ask(ledger_url, "record", "P-1", *amount, "--yes", "--version", "3f2a9c01d4e8")
    assert result.exit_code == 2
    assert "--yes needs --reason" in result.stderr
    assert outgoing(ledger_url) == []


def test_a_read_only_database_shows_but_does_not_record(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    version = shown(ledger_url)["version"]
    name = make_url(ledger_url).database
    run(ledger_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert shown(ledger_url)["version"] == version
    result = record(ledger_url, "P-1", "--yes", version=version)
    assert result.exit_code == 1
    assert "read-only transaction" in result.stderr


def test_the_largest_amount_is_recorded(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    largest = "99999999999999999999.999999999999999999"
    recorded_by_command(ledger_url, amount=largest)
    relay(ledger_url)
    assert _balances(ledger_url)["payments USDT"] == f"-{largest}"


def test_json_and_table_show_the_same_version(ledger_url: str) -> None:
    set_up(ledger_url, [PAID])
    version = json.loads(record(ledger_url, "P-1", "--json").stdout)["version"]
    table = record(ledger_url).stdout
    assert version in table
    assert "would be posted" in table
    assert "nothing was recorded; to record it, run:" in table
