"""How a command ends: its status and what it prints on standard error."""

import click
import pytest

from router.broker.topics.listing import TopicsUnavailable
from router.errors import ConfigurationError
from router.providers import ProviderError
from router.terminal.exits import CommandError, StartError, run


def _ended(
    error: BaseException | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[object, str]:
    @click.command()
    def command() -> None:
        if error is not None:
            raise error

    monkeypatch.setattr("sys.argv", ["payrouter"])
    with pytest.raises(SystemExit) as ended:
        run(command)
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (None, 0, ""),
        (CommandError("no such record"), 1, "payrouter: no such record\n"),
        (StartError("address in use"), 2, "payrouter: address in use\n"),
        (ConfigurationError("a: b", "c: d"), 2, "payrouter: a: b\npayrouter: c: d\n"),
        (ProviderError("x has no PROVIDER"), 2, "payrouter: x has no PROVIDER\n"),
        (TopicsUnavailable("cannot connect"), 1, "payrouter: cannot connect\n"),
        (KeyboardInterrupt(), 130, "\n"),
    ],
    ids=str,
)
def test_an_error_ends_a_command_with_its_status_and_its_lines(
    error: BaseException | None,
    status: int,
    lines: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _ended(error, capsys, monkeypatch) == (status, lines)


def test_a_bug_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ZeroDivisionError):
        _ended(ZeroDivisionError(), capsys, monkeypatch)


def test_wrong_usage_shows_the_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, err = _ended(click.UsageError("give a name"), capsys, monkeypatch)

    assert status == 2
    assert "give a name" in err
