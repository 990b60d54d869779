"""Folders of servers are in memory if there is enough of it."""

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.parts.folders import server_folder


@pytest.mark.parametrize(("gigabytes", "parent"), [(1, "disk"), (4, "memory")])
def test_folder_is_in_memory_only_if_there_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: int, parent: str
) -> None:
    for name in ("disk", "memory"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "disk"))
    usage = SimpleNamespace(free=gigabytes * 1024**3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    assert server_folder("kafka", tmp_path / "memory").parent == tmp_path / parent


def test_folder_is_on_disk_if_the_machine_has_no_folder_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert server_folder("kafka", tmp_path / "missing").parent == tmp_path
