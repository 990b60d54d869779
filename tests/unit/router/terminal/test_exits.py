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


def test_wrong_usage_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, err = _ended(click.UsageError("give a name"), capsys, monkeypatch)

    assert (status, err) == (2, "payrouter: give a name; see `payrouter --help`\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["mug", "--all"], "no such option '--all'; see `payrouter sell --help`"),
        ([], "missing argument 'SKU'; see `payrouter sell --help`"),
        (
            ["mug", "--in", "x"],
            "invalid value for '--in': 'x' is not one of 'bag', 'box'; see `payrouter sell --help`",
        ),
        (
            ["mug"],
            "missing option '--in'. Choose from: bag, box; see `payrouter sell --help`",
        ),
        (
            ["mug", "--inn", "bag"],
            "no such option '--inn'. Did you mean '--in'? See `payrouter sell --help`.",
        ),
    ],
)
def test_mistake_that_click_finds_is_one_line_with_the_remedy(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.group()
    def shop() -> None:
        pass

    @shop.command()
    @click.argument("sku")
    @click.option("--in", "kind", type=click.Choice(["bag", "box"]), required=True)
    def sell(sku: str, kind: str) -> None:
        del sku, kind

    with pytest.raises(SystemExit) as ended:
        run(shop, arguments=["sell", *arguments])

    assert (ended.value.code, capsys.readouterr().err) == (2, f"payrouter: {line}\n")


def test_abbreviation_at_the_start_of_a_message_keeps_its_spelling(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command()
    def sell() -> None:
        message = "SKU: missing"
        raise click.UsageError(message)

    with pytest.raises(SystemExit):
        run(sell, arguments=[])

    assert capsys.readouterr().err.startswith("payrouter: SKU: missing")


def test_group_without_a_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(click.Group("shop", help="Sell."), arguments=[])

    assert ended.value.code == 2
    assert "Sell." in capsys.readouterr().err
