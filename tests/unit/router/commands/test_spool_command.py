"""`payrouter spool show|verify|drain`, without a broker."""

from pathlib import Path

import pytest

from tests.parts.edge.edge_command import Command, command, configured
from tests.parts.edge.spool.troubled import write_troubled_spool


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return command(monkeypatch, capsys)


@pytest.fixture
def troubled(tmp_path: Path, payrouter: Command) -> Path:
    """Write a spool with problems, configure it and return its folder."""
    del payrouter
    root = write_troubled_spool(tmp_path)["PAYROUTER_SPOOL__PATH"]
    configured(f'[spool]\npath = "{root}"\n')
    return Path(root)


def test_without_a_path_there_is_nothing_to_show(payrouter: Command) -> None:
    configured("")

    said = payrouter("spool", "show")

    assert (said.status, said.err) == (2, "payrouter: spool.path is not set: there is no spool\n")


def test_show_counts_what_waits_and_names_what_is_aside(payrouter: Command, troubled: Path) -> None:
    said = payrouter("spool", "show", "--json")

    (spool,) = said.json["spools"]
    assert said.status == 0
    assert (spool["folder"], spool["process"]) == (str(troubled / "slot-1"), None)
    assert (spool["records"], spool["by_topic"]) == (1, {"payment": 1})
    assert spool["oldest_age_seconds"] > 86400
    assert [each["reason"] for each in spool["set_aside"]] == ["too large"]


def test_the_table_names_record_and_reason(payrouter: Command, troubled: Path) -> None:
    del troubled

    out = payrouter("spool", "show").out

    assert "slot-1" in out
    assert "set aside: payment payment.confirmed ?: too large" in out


def test_verify_fails_and_names_the_foreign_file(payrouter: Command, troubled: Path) -> None:
    said = payrouter("spool", "verify")

    assert said.status == 1
    file = troubled / "slot-1" / "000000000009.segment"
    assert f"{file}: it is not a file of the spool\n" in said.out


def test_verify_of_a_sound_spool_succeeds(payrouter: Command, troubled: Path) -> None:
    (troubled / "slot-1" / "000000000009.segment").unlink()

    said = payrouter("spool", "verify", "--json")

    assert (said.status, said.json["sound"]) == (0, True)


def test_drain_changes_nothing_without_yes(payrouter: Command, troubled: Path) -> None:
    before = sorted(troubled.rglob("*"))

    said = payrouter("spool", "drain")

    assert said.status == 0
    assert "would publish 2 records; --yes does it" in said.out
    assert sorted(troubled.rglob("*")) == before
