"""How a consumer's process starts."""

import gc
from collections.abc import Coroutine, Iterator
from pathlib import Path

import pytest

from tests.parts.cli_in_process import commands_in


@pytest.fixture(autouse=True)
def _all_searched() -> Iterator[None]:
    # The run of the tests keeps what it loaded too.
    gc.unfreeze()
    yield
    gc.freeze()


def test_a_consumer_is_served_once_its_modules_are_no_longer_searched_for_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[int] = []

    def serve(process: Coroutine[object, object, None]) -> None:
        process.close()
        kept.append(gc.get_freeze_count())

    monkeypatch.setattr("consumers.processes.serve", serve)
    (tmp_path / "payrouter.toml").write_text(
        '[database]\nurl = "postgresql://payrouter@127.0.0.1/payrouter"\n', encoding="utf-8"
    )

    said = commands_in(tmp_path, monkeypatch, capsys)("consume", "ledger")

    assert said.status == 0, said.err
    (objects,) = kept
    assert objects > 10_000
