"""The disk of the spool, as `payrouter doctor` judges it."""

from pathlib import Path

import pytest

from consumers.doctor.spool import judge_spool
from router.configuration.process_settings import SpoolSettings

ROOM = 16 * 1024 * 1024


def judged(path: Path | None, mounts: Path, most: int = ROOM) -> list[tuple[str, str]]:
    """Return state and finding of each result."""
    settings = SpoolSettings(path=path, max_bytes=most)
    return [(each.state.value, each.found) for each in judge_spool(settings, mounts)]


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """Return a list of mounts with a local disk."""
    path = tmp_path / "mounts"
    path.write_text(f"none / overlay rw 0 0\n/dev/sda1 {tmp_path} ext4 rw 0 0\n")
    return path


def test_without_a_spool_nothing_is_judged(mounts: Path) -> None:
    assert judged(None, mounts) == []


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(
    tmp_path: Path, mounts: Path
) -> None:
    ((state, found),) = judged(tmp_path / "new" / "spool", mounts)

    assert state == "ok"
    assert found.startswith(f"{tmp_path} can be written")


@pytest.mark.parametrize("kind", ["tmpfs", "overlay", "nfs4"])
def test_a_file_system_that_may_lose_the_files_is_a_warning(
    tmp_path: Path, mounts: Path, kind: str
) -> None:
    mounts.write_text(f"none {tmp_path} ext4 rw 0 0\nnone {tmp_path} {kind} rw 0 0\n")

    ((state, found),) = judged(tmp_path, mounts)

    assert state == "warn"
    assert f"is on {kind}: " in found


def test_too_little_room_is_a_warning(tmp_path: Path, mounts: Path) -> None:
    ((state, found),) = judged(tmp_path, mounts, most=10**18)

    assert state == "warn"
    assert "less than spool.max_bytes" in found


def test_a_folder_that_cannot_be_written_is_a_failure(
    tmp_path: Path, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_arguments: False)

    assert judged(tmp_path, mounts) == [("fail", f"{tmp_path} cannot be written")]
