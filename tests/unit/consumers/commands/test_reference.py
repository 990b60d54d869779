"""The man page and the page of the documentation are what the commands say."""

from pathlib import Path

from consumers.cli import command_line
from router.terminal.reference import man_page, markdown

ROOT = Path(__file__).resolve().parents[4]


def test_the_man_page_is_up_to_date() -> None:
    page = ROOT / "deploy" / "man" / "payrouter.1"

    assert man_page(command_line()) == page.read_text(encoding="utf-8"), (
        "run: payrouter man > deploy/man/payrouter.1"
    )


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    page = ROOT / "docs" / "cli.md"

    assert markdown(command_line()) == page.read_text(encoding="utf-8"), (
        "run: payrouter man --markdown > docs/cli.md"
    )


def test_every_command_and_option_is_in_both() -> None:
    man, page = man_page(command_line()), markdown(command_line())

    for text in ("payrouter dlq replay", "payrouter send blockatm", "payrouter ledger statement"):
        assert text in page
        assert text in man
    assert "`--stuck-after SECONDS`" in page
    assert r"\fB\-\-stuck\-after SECONDS\fR" in man
