"""A change of a file, made in any way, is reported once it is complete."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from router.secrets.file_watch import FileWatch, stamp


def _mounted(directory: Path, version: str, content: str) -> Path:
    """Mount a secret as Kubernetes does: a link to `..data`, which is a link to a folder."""
    folder = directory / f"..{version}"
    folder.mkdir()
    (folder / "key").write_text(content)
    fresh = directory / "..data_tmp"
    fresh.symlink_to(folder.name)
    fresh.replace(directory / "..data")
    path = directory / "key"
    if not path.is_symlink():
        path.symlink_to("..data/key")
    return path


def _rewritten(path: Path) -> None:
    path.write_text("new")


def _renamed(path: Path) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text("new")
    draft.replace(path)


def _renamed_with_the_times_of_the_old(path: Path) -> None:
    times = path.stat()
    _renamed(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _removed(path: Path) -> None:
    path.unlink()


def _watching(*paths: Path) -> FileWatch:
    watch = FileWatch()
    watch.follow(paths)
    return watch


def _looks(watch: FileWatch, count: int = 4) -> list[bool]:
    return [watch.changed() for _ in range(count)]


@pytest.mark.parametrize(
    "change", [_rewritten, _renamed, _renamed_with_the_times_of_the_old, _removed]
)
def test_a_change_is_reported_once_when_it_has_settled(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    watch = _watching(path)
    before = _looks(watch, 2)
    change(path)

    assert before == [False, False]
    assert _looks(watch) == [False, True, False, False]


def test_a_secret_that_kubernetes_replaces_is_seen(tmp_path: Path) -> None:
    path = _mounted(tmp_path, "1", "old")
    watch = _watching(path)
    _mounted(tmp_path, "2", "new")

    assert _looks(watch) == [False, True, False, False]
    assert path.read_text() == "new"


def test_what_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    watch = _watching(path)
    seen = []
    for length in range(1, 5):
        path.write_text("x" * length * 10)
        seen.append(watch.changed())

    assert seen == [False] * 4
    assert _looks(watch) == [True, False, False, False]


def test_writing_the_same_content_is_not_a_change(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("new")
    watch = _watching(path)
    _renamed(path)

    assert _looks(watch) == [False, False, False, False]


def test_a_file_that_comes_later_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "key"
    watch = _watching(path)
    path.write_text("new")

    assert stamp(tmp_path / "nothing") is None
    assert _looks(watch) == [False, True, False, False]


def test_to_follow_the_same_files_again_between_two_looks_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    watch = _watching(path, tmp_path / "comes later")
    path.write_text("new")
    (tmp_path / "comes later").write_text("new")
    seen = []
    for _ in range(3):
        watch.follow([path, tmp_path / "comes later"])
        seen.append(watch.changed())

    assert seen == [False, True, False]


def test_a_file_watched_again_is_known_and_no_change_in_between_is_lost(
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("old")
    two.write_text("old")
    watch = _watching(one)
    one.write_text("changed")
    watch.follow([one, two])

    assert _looks(watch) == [False, True, False, False]
    two.write_text("changed")
    assert _looks(watch) == [False, True, False, False]
