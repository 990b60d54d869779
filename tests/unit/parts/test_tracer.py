"""The tracer of `--cov` while tests are collected."""

import importlib
import sys
from pathlib import Path
from types import FrameType

import pytest

from tests.parts import tracer


def _module(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)


def test_only_modules_of_the_project_are_traced_when_they_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _module(tmp_path / "ours", "__init__", "")
    _module(tmp_path / "ours", "measured", "VALUE = 1\n")
    _module(tmp_path, "theirs", "import ours.measured\nVALUE = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    traced = list[str]()

    def note(frame: FrameType, _event: str, _argument: object) -> None:
        traced.append(Path(frame.f_code.co_filename).name)

    before = sys.gettrace()
    sys.settrace(note)
    try:
        with tracer.only_imports_traced(["ours"]):
            importlib.import_module("theirs")
        assert sys.gettrace() is note
    finally:
        sys.settrace(before)
        for name in ("ours", "ours.measured", "theirs"):
            sys.modules.pop(name, None)

    assert "measured.py" in traced
    assert "theirs.py" not in traced
