"""A third-party consumer works like a built-in one; an invalid one prevents the start."""

import json
import re
from pathlib import Path

import pytest

from consumers.discovery import ServiceError, discover
from tests.conformance.conftest import SAMPLES
from tests.conformance.programs import Programs

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-consumer.md"
BLOCK = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)```$", re.MULTILINE | re.DOTALL)


def test_installed_consumer_has_its_tables_and_commands(
    programs: Programs, database_url: str
) -> None:
    programs.configure(f'[database]\nurl = "{database_url}"\n')
    applied = json.loads(programs.run("db", "upgrade", "--json"))
    assert applied["tally"][-1] == "tally 0001"
    assert {revision.split()[0] for revision in applied["tally"][:-1]} == {"runtime"}
    assert json.loads(programs.run("tally", "show", "--json")) == []
    assert "payments" in programs.run("tally", "show")
    assert json.loads(programs.run("brake", "show", "tally", "--json")) == []


def _install(folder: Path, name: str, value: str) -> None:
    meta = folder / f"{name}-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(f"[payrouter.consumers]\n{name} = {value}\n")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("not_installed:SERVICE", "No module named 'not_installed'"),
        ("payrouter_tally:NOTHING", "NOTHING"),
        ("payrouter_tally:show", "has no SERVICE"),
        ("payrouter_tally:SERVICE", "calls itself tally"),
    ],
)
def test_invalid_consumer_prevents_the_start(
    value: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(tmp_path, "wrong", value)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ServiceError, match=problem) as found:
        discover()
    assert "consumer wrong" in str(found.value)


def test_consumer_with_a_duplicate_metric_name_prevents_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = "replace(SERVICE.measures[0])"
    (tmp_path / "twice.py").write_text(
        "from dataclasses import replace\nfrom consumers.ledger.service import SERVICE\n"
        f"SERVICE = replace(SERVICE, name='twice', measures=[{measure}])\n"
    )
    _install(tmp_path, "twice", "twice:SERVICE")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ServiceError, match="payrouter_ledger_imbalance is the one of ledger too"):
        discover()


def test_consumer_with_a_case_of_the_runtime_prevents_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "doubtful.py").write_text(
        "from dataclasses import replace\n"
        "from consumers.runtime.cases.held_kinds import DEAD_RECORD\n"
        "from tests.parts.runtime.parcels import SERVICE\n"
        "query = replace(SERVICE.cases[1], kind=DEAD_RECORD)\n"
        "SERVICE = replace(SERVICE, name='doubtful', cases=[query])\n"
    )
    _install(tmp_path, "doubtful", "doubtful:SERVICE")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ServiceError, match="its case dead-record is the one of the runtime too"):
        discover()


def test_consumer_of_refused_deliveries_prevents_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "curious.py").write_text(
        "from dataclasses import replace\nfrom consumers.ledger.service import SERVICE\n"
        "SERVICE = replace(SERVICE, name='curious', topics=(*SERVICE.topics, 'refused'))\n"
    )
    _install(tmp_path, "curious", "curious:SERVICE")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ServiceError, match="consumer curious: nothing on refused is proven"):
        discover()


def test_no_built_in_consumer_reads_refused_deliveries() -> None:
    assert all("refused" not in service.topics for service in discover().values())


def test_uninstalled_consumer_does_not_exist(programs: Programs, tmp_path: Path) -> None:
    bare = Programs(programs.folder, tmp_path)
    with pytest.raises(AssertionError, match="no such command 'tally'"):
        bare.run("tally", "show")


def test_guide_matches_the_sample_file_by_file() -> None:
    told = dict(BLOCK.findall(GUIDE.read_text(encoding="utf-8")))
    files = [path for path in (SAMPLES / "tally").rglob("*") if path.suffix in {".py", ".toml"}]
    there = {str(path.relative_to(SAMPLES / "tally")): path.read_text("utf-8") for path in files}
    assert told == there
