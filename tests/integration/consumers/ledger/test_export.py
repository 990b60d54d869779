"""The journal is exported line by line, complete and exact, at any length."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.ledger.reading.export import COLUMNS
from consumers.ledger.service import SERVICE
from tests.parts.ledger.asked import UNGUARDED, ask, run, set_up
from tests.parts.ledger.told import LARGEST, told
from tests.parts.templates import Templates

EVENTS = (
    told("payment.confirmed", LARGEST),
    told("payout.confirmed", "0.000000000000000001", payment='W-"1",'),
    told("payment.confirmed", "7", payment="P-3", network=None),
)

TRANSACTIONS = 50_000

LONG = (
    f"""
    INSERT INTO ledger.event (event_id, type, account, provider, reference, received_at,
        outcome, digest, position_id, endpoint, scheme, test)
    SELECT gen_random_uuid(), 'payment.confirmed', 'shop-eu', 'blockatm', n::text, now(),
        'applied', '', gen_random_uuid(), '', '', false
    FROM generate_series(1, {TRANSACTIONS}) n
    """,
    """
    INSERT INTO ledger.transaction (event_id, description, moment, day)
    SELECT event_id, '', now(), current_date FROM ledger.event WHERE digest = ''
    """,
    """
    INSERT INTO ledger.posting SELECT transaction.id, line, account.id, 'USDT', amount
    FROM (VALUES (1, 'wallet', 1), (2, 'payments', -1)) AS side (line, purpose, amount)
        JOIN ledger.account USING (purpose), ledger.transaction
    WHERE description = ''
    """,
)


def exported(url: str, *arguments: str) -> list[dict[str, str]]:
    result = ask(url, "export", *arguments)
    assert result.exit_code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def test_a_posting_is_a_line_with_the_exact_amount_as_text(ledger_url: str) -> None:
    set_up(ledger_url, EVENTS)
    lines = exported(ledger_url, "--format", "csv")
    assert [(line["transaction"], line["line"], line["amount"]) for line in lines] == [
        ("1", "1", LARGEST),
        ("1", "2", f"-{LARGEST}"),
        ("2", "1", "0.000000000000000001"),
        ("2", "2", "-0.000000000000000001"),
        ("3", "1", "7"),
        ("3", "2", "-7"),
    ]
    first = lines[0]
    assert tuple(first) == COLUMNS
    assert first["event_id"] == str(EVENTS[0].id)
    assert first["posted_at"].endswith("+00:00")
    assert first["day"] == "2026-01-02"
    assert {name: first[name] for name in COLUMNS[5:14]} == {
        "type": "payment.confirmed",
        "reference": "order of P-1",
        "provider_reference": "P-1",
        "ledger_account": "shop-eu:blockatm:wallet:Ethereum",
        "account": "shop-eu",
        "provider": "blockatm",
        "purpose": "wallet",
        "network": "Ethereum",
        "currency": "USDT",
    }
    assert lines[2]["provider_reference"] == 'W-"1",'
    assert lines[4]["network"] == ""


def test_a_period_is_exported(ledger_url: str) -> None:
    dated = (
        "UPDATE ledger.transaction SET posted_at = '2026-01-01Z'::timestamptz"
        " + id * interval '1 day'"
    )
    set_up(ledger_url, EVENTS, *UNGUARDED, dated)
    found = exported(ledger_url, "--from", "2026-01-03", "--to", "2026-01-04")
    assert {line["transaction"] for line in found} == {"2"}


@pytest.fixture(scope="module")
def long_journal(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the configuration of a ledger of 100,000 postings."""
    folder = tmp_path_factory.mktemp("long")
    with templates.copied(SERVICE) as url:
        set_up(url, [told("payment.confirmed", "1")])
        run(url, *LONG)
        (folder / "payrouter.toml").write_text(f'[database]\nurl = "{url}"\n', encoding="utf-8")
        yield folder


def peak(folder: Path, *arguments: str) -> tuple[int, int, str]:
    """Export in a separate process; return its lines, peak memory in KB, and stderr."""
    command = [sys.executable, "-m", "consumers", "ledger", "export", *arguments]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (folder / "err").read_text()
    lines = (folder / "out").read_bytes().count(b"\n")
    return lines, usage.ru_maxrss, (folder / "err").read_text()


def test_a_long_journal_needs_no_more_memory_than_a_short_one(long_journal: Path) -> None:
    nothing, before, silent = peak(long_journal, "--from", "2999-01-01")
    everything, after, progress = peak(long_journal)
    assert (nothing, everything) == (1, 1 + 2 * (TRANSACTIONS + 1))
    assert after - before < 24 * 1024
    assert silent == ""
    assert progress.splitlines() == [
        "50,000 postings",
        "100,000 postings",
        "100,002 postings, all of them",
    ]


def test_a_closed_pipe_is_not_reported_as_a_lost_database(
    long_journal: Path,
) -> None:
    command = f"{sys.executable} -m consumers ledger export | head -n 1"
    said = subprocess.run(
        ["/bin/sh", "-c", command], cwd=long_journal, capture_output=True, check=True, text=True
    )
    assert (said.stdout, said.stderr) == (",".join(COLUMNS) + "\n", "")
