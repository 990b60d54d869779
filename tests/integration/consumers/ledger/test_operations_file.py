"""Transfers, decisions and the record of operations are carried to a rebuilt ledger by a file."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger.service import SERVICE
from consumers.runtime.casebook.word import NewWord, SaidWord, read_words, write_words
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from tests.parts.ledger.asked import ask, asked, run, set_up
from tests.parts.ledger.told import told
from tests.parts.ledger.transferring import (
    BANK,
    EXCHANGE,
    OVERPAID,
    PAYMENTS,
    SUSPENSE,
    WALLET,
    transfer,
)
from tests.parts.templates import Templates

EVENTS = (OVERPAID, told("payment.confirmed", payment="P-2", reference="A-2"))
TABLES = RuntimeTables.of("ledger")


def word(what: SaidWord, reason: str) -> NewWord:
    given = "ben" if what is SaidWord.ASSIGNED else None
    return NewWord(
        *("amount-unknown", "subject", "digest", "3f9a", what, reason, "anna", {"a": "b"}), given
    )


def say(url: str, what: SaidWord, reason: str) -> None:
    async def written() -> None:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.begin() as transaction:
            await write_words(transaction, TABLES, [word(what, reason)])

    asyncio.run(written())


def said(url: str) -> list[str]:
    async def words() -> list[str]:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            found = await read_words(connection, TABLES, "amount-unknown", ["subject"])
            return [each.reason for each in found]

    return asyncio.run(words())


ROWS = {
    "transfer": "SELECT to_jsonb(t)::text FROM ledger.transfer t",
    "posting": "SELECT (to_jsonb(t) - 'transaction_id')::text FROM ledger.posting t",
    "transaction": "SELECT (to_jsonb(t) - 'id' - 'posted_at')::text FROM ledger.transaction t",
    "case_word": "SELECT (to_jsonb(t) - 'id')::text FROM ledger.case_word t",
    "operation": "SELECT (to_jsonb(t) - 'id')::text FROM ledger.operation t"
    " WHERE what <> 'ledger import'",
}
"""Queries of all rows that an import may write, without the numbers of this database."""


def content(url: str) -> dict[str, list[str]]:
    """Return these rows."""

    async def rows() -> dict[str, list[str]]:
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            return {
                name: sorted(await connection.scalars(text(query))) for name, query in ROWS.items()
            }

    return asyncio.run(rows())


def rebuilt(url: str, events: tuple[Event, ...] = EVENTS) -> None:
    """Apply the events again, as from the topics."""
    set_up(url, events)


@pytest.fixture
def elsewhere(templates: Templates) -> Iterator[str]:
    """Yield the URL of a second, empty ledger."""
    with templates.copied(SERVICE) as url:
        yield url


@pytest.fixture
def worked(ledger_url: str) -> str:
    """Return the URL of a ledger in which operators have worked."""
    set_up(ledger_url, EVENTS)
    first = transfer(ledger_url, PAYMENTS, SUSPENSE, "20", "USDT", "--reference", "A-1")
    transfer(ledger_url, "--undo", first["transfer"], reason="not yet")
    transfer(ledger_url, PAYMENTS, SUSPENSE, "20", "USDT", reason="“now”, ümlaut")
    transfer(ledger_url, WALLET, EXCHANGE, "100.000000000000000001", "USDT")
    transfer(ledger_url, EXCHANGE, BANK, "91.20", "EUR")
    say(ledger_url, SaidWord.NOTE, "asked\nthe gateway")
    say(ledger_url, SaidWord.CLOSED, "refunded")
    return ledger_url


def exported(url: str, file: Path) -> Path:
    result = ask(url, "export", "--operations")
    assert (result.exit_code, result.stderr) == (0, "")
    file.write_text(result.stdout, encoding="utf-8")
    return file


@pytest.fixture
def operations(worked: str, tmp_path: Path) -> Path:
    """Return the exported operations of that ledger."""
    return exported(worked, tmp_path / "operations.jsonl")


def test_every_line_is_json_with_its_type_and_id(operations: Path) -> None:
    lines = [json.loads(line) for line in operations.read_text().splitlines()]
    types = ["transfer"] * 5 + ["case_word"] * 2 + ["operation"] * 5
    assert [line["type"] for line in lines] == ["header", *types, "end"]
    assert lines[-1]["lines"] == len(types)
    assert len({line["id"] for line in lines[1:-1]}) == len(types)
    assert lines[4]["amount"] == "100.000000000000000001"
    assert lines[5]["to"] == {
        "account": "shop-eu",
        "provider": "blockatm",
        "purpose": "bank",
        "network": None,
    }


def test_rebuilt_books_with_the_import_equal_the_first_ones(
    worked: str, elsewhere: str, operations: Path
) -> None:
    rebuilt(elsewhere)
    assert asked(elsewhere, "balance") != asked(worked, "balance")
    counts = {
        "transfer": {"new": 5, "known": 0},
        "case_word": {"new": 2, "known": 0},
        "operation": {"new": 5, "known": 0},
    }
    before = content(elsewhere)
    assert asked(elsewhere, "import", str(operations)) == {"done": False, **counts}
    assert content(elsewhere) == before
    assert asked(elsewhere, "import", str(operations), "--yes") == {"done": True, **counts}
    assert content(elsewhere) == content(worked)
    assert asked(elsewhere, "balance") == asked(worked, "balance")
    verdict = asked(elsewhere, "verify")
    assert (verdict["good"], verdict["transfers"]) == (True, 5)


def test_the_order_of_import_and_events_does_not_matter(
    worked: str, elsewhere: str, operations: Path
) -> None:
    asked(elsewhere, "import", str(operations), "--yes")
    assert asked(elsewhere, "verify")["good"]
    rebuilt(elsewhere, EVENTS[::-1])
    assert content(elsewhere) == content(worked)
    assert asked(elsewhere, "balance") == asked(worked, "balance")
    assert asked(elsewhere, "verify")["good"]


def test_importing_again_changes_nothing(elsewhere: str, worked: str, operations: Path) -> None:
    asked(elsewhere, "import", str(operations), "--yes")
    again = exported(elsewhere, operations.with_name("again.jsonl"))
    for url in (elsewhere, worked):
        counts = asked(url, "import", str(operations), "--yes")
        assert [counts[kind]["new"] for kind in ("transfer", "case_word", "operation")] == [0] * 3
    assert (
        exported(elsewhere, operations.with_name("later.jsonl")).read_text().splitlines()[1:]
        == (again.read_text().splitlines()[1:])
    )
    assert "nothing is missing here" in ask(elsewhere, "import", str(operations)).stdout


def test_a_later_export_adds_only_what_is_new(
    worked: str, elsewhere: str, operations: Path
) -> None:
    asked(elsewhere, "import", str(operations), "--yes")
    say(elsewhere, SaidWord.REOPENED, "said here")
    transfer(worked, WALLET, BANK, "1", "USDT")
    say(worked, SaidWord.ASSIGNED, "said there")
    later = exported(worked, operations)
    assert '"assignee":"ben"' in later.read_text()
    counts = asked(elsewhere, "import", str(later), "--yes")
    assert [counts[kind]["new"] for kind in ("transfer", "case_word", "operation")] == [1, 1, 1]
    assert asked(elsewhere, "verify")["good"]


def test_an_imported_decision_is_older_than_one_that_was_made_here_since(
    elsewhere: str, operations: Path
) -> None:
    say(elsewhere, SaidWord.REOPENED, "not refunded after all")
    asked(elsewhere, "import", str(operations), "--yes")
    assert said(elsewhere) == ["asked\nthe gateway", "refunded", "not refunded after all"]


def test_an_import_is_on_the_record_of_operations(elsewhere: str, operations: Path) -> None:
    shown = ask(elsewhere, "import", str(operations), "--yes").stdout
    assert "12 lines added" in shown
    lines = exported(elsewhere, operations).read_text().splitlines()
    details = [json.loads(line).get("detail") for line in lines]
    assert (
        "operations.jsonl: 5 of type transfer, 2 of type case_word, 5 of type operation" in details
    )


def test_operations_cannot_be_exported_of_a_period(ledger_url: str) -> None:
    result = ask(ledger_url, "export", "--operations", "--from", "2026-01-01")
    assert result.exit_code == 2
    assert "leave out --from and --to" in result.stderr


def changed(line: int, **fields: object) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        found: dict[str, Any] = json.loads(lines[line - 1])
        for name, value in fields.items():
            found["from" if name == "from_" else name] = value
        return [*lines[: line - 1], json.dumps(found), *lines[line:]]

    return change


def written(line: int, content: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[: line - 1], content, *lines[line:]]


END_OF_13 = '{"type":"end","lines":13}'
ABSENT = "00000000-0000-0000-0000-000000000001"
THERE = {"account": "shop-us", "provider": "blockatm", "purpose": "bank", "network": None}
WRONG: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "empty": (lambda _: [], "line 1: is not the header"),
    "no header": (lambda lines: lines[1:], "line 1: is not the header"),
    "other format": (changed(1, format="x"), "line 1: header.format: "),
    "later version": (changed(1, version=2), "line 1: header.version: 2; this version"),
    "no end": (lambda lines: lines[:-1], "line 14: the end is missing: the file is incomplete"),
    "cut in a line": (lambda lines: [*lines[:5], lines[5][:100]], "line 6: "),
    "a line lost": (lambda lines: lines[:3] + lines[4:], "line 13: end.lines: 12, but"),
    "text after the end": (lambda lines: [*lines, lines[-1]], "line 14: end: is not allowed here"),
    "header twice": (lambda lines: [lines[0], *lines], "line 2: header: is not allowed here"),
    "blank line": (written(3, ""), "line 3: "),
    "not JSON": (written(3, "transaction,line"), "line 3: Invalid JSON"),
    "deeply nested": (written(3, "[" * 100_000), "line 3: "),
    "a number": (written(3, "1e999"), "line 3: "),
    "not UTF-8": (written(3, "\udcff"), "line 3: "),
    "unknown type": (changed(3, type="payment"), "line 3: "),
    "unknown field": (changed(3, more=1), "line 3: transfer.more: "),
    "amount as a number": (changed(3, amount=20), "line 3: transfer.amount: "),
    "amount zero": (changed(3, amount="0.0"), "line 3: transfer.amount: Value error, must be"),
    "amount negative": (changed(3, amount="-1"), "line 3: transfer.amount: "),
    "amount NaN": (changed(3, amount="NaN"), "line 3: transfer.amount: "),
    "amount too large": (changed(3, amount="1e20"), "line 3: transfer.amount: "),
    "no reason": (changed(3, reason=""), "line 3: transfer.reason: "),
    "id of another kind": (changed(3, id=7), "line 3: transfer.id: "),
    "time without a zone": (changed(3, at="2026-01-01T00:00:00"), "line 3: transfer.at: "),
    "time far away": (changed(3, at="2020-01-01T00:00:00Z"), "line 3: transfer.at: is too far"),
    "unknown purpose": (changed(3, to={**THERE, "purpose": "x"}), "line 3: transfer.to.purpose: "),
    "other merchant": (changed(3, to=THERE), "line 3: transfer.to: belongs to another merchant"),
    "same account": (changed(3, to=THERE, from_=THERE), "line 3: transfer.to: is the same account"),
    "undoes nothing": (
        changed(3, undoes=ABSENT),
        "line 3: transfer.undoes: there is no transfer",
    ),
    "not the reverse": (changed(3, amount="19"), "line 3: transfer.undoes: is not the reverse"),
    "undone twice": (
        lambda lines: [*lines[:3], *changed(1, id=ABSENT)([lines[2]]), *lines[3:-1], END_OF_13],
        "line 4: transfer.undoes: ",
    ),
    "id twice": (
        lambda lines: [*lines[:3], lines[2], *lines[3:-1], END_OF_13],
        "line 4: transfer.id: is also on line 3",
    ),
    "word changed": (changed(7, reason="x"), "line 7: case_word.id: is not that of this content"),
    "operation changed": (
        changed(10, who="x"),
        "line 10: operation.id: is not that of this content",
    ),
    "NUL": (changed(7, reason="a\x00b"), "line 7: case_word.reason: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_of_another_kind_is_refused_with_line_and_field(
    elsewhere: str, operations: Path, case: str
) -> None:
    change, why = WRONG[case]
    lines = change(operations.read_text().splitlines())
    text = "".join(f"{line}\n" for line in lines)
    operations.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = content(elsewhere)
    result = ask(elsewhere, "import", str(operations), "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"payrouter: {operations}: line ")
    assert why in result.stderr
    assert content(elsewhere) == before


def test_every_truncation_is_refused(elsewhere: str, operations: Path) -> None:
    whole = operations.read_bytes()
    line_ends = [end for end, byte in enumerate(whole) if byte == ord("\n")][:-1]
    for end in sorted(
        {*range(0, len(whole) - 1, 397), *line_ends, *(each + 1 for each in line_ends)}
    ):
        operations.write_bytes(whole[:end])
        result = ask(elsewhere, "import", str(operations), "--yes")
        assert result.exit_code == 1, end
        assert ": line " in result.stderr
    assert asked(elsewhere, "verify")["transfers"] == 0
    operations.write_bytes(whole[:-1])
    assert asked(elsewhere, "import", str(operations), "--yes")["done"]


def test_a_known_id_with_other_content_is_a_conflict(worked: str, operations: Path) -> None:
    before = content(worked)
    operations.write_text("\n".join(changed(2, reason="x")(operations.read_text().splitlines())))
    result = ask(worked, "import", str(operations), "--yes")
    assert result.exit_code == 1
    assert "line 2: transfer.id: " in result.stderr
    assert "is known with other content" in result.stderr
    assert content(worked) == before


def test_a_transfer_that_was_undone_here_cannot_be_undone_by_an_import(
    elsewhere: str, operations: Path
) -> None:
    lines = operations.read_text().splitlines()
    first = changed(3, lines=1)([lines[0], lines[1], lines[-1]])
    only = operations.with_name("first.jsonl")
    only.write_text("\n".join(first))
    asked(elsewhere, "import", str(only), "--yes")
    transfer(elsewhere, "--undo", json.loads(lines[1])["id"])
    result = ask(elsewhere, "import", str(operations), "--yes")
    assert result.exit_code == 1
    assert "line 3: transfer.undoes: " in result.stderr
    assert "is already undone by" in result.stderr
    assert asked(elsewhere, "verify")["transfers"] == 2


def test_a_failure_in_the_middle_imports_nothing(elsewhere: str, operations: Path) -> None:
    # The postings fail: everything else was written before them.
    run(
        elsewhere,
        "CREATE FUNCTION ledger.fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no more room'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON ledger.posting FOR EACH STATEMENT"
        " EXECUTE FUNCTION ledger.fail()",
    )
    before = content(elsewhere)
    result = ask(elsewhere, "import", str(operations), "--yes")
    assert result.exit_code == 1
    assert "no more room" in result.stderr
    assert content(elsewhere) == before


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_is_not_there_is_wrong_usage(ledger_url: str, name: str) -> None:
    assert ask(ledger_url, "import", name).exit_code == 2
