"""Options of `[consumers.notifications]`; an invalid one prints one line and exits with 2."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from consumers import cli
from consumers.notifications.options import NotificationOptions
from consumers.notifications.rules import CUSTOMER, KINDS, LOG
from consumers.notifications.service import configured
from consumers.runtime.service import Setup
from router.contract.topics import Topics
from tests.parts.notifications.desk import MAIL, options, rule

SECRET = "hunter2hunter2"


def test_without_configuration_nothing_leaves_the_machine() -> None:
    default = NotificationOptions()
    assert {name for each in default.rules for name in each.channels} == {LOG}
    told = [kind for kind in KINDS if any(each.is_about(kind) for each in default.rules)]
    assert "payment.confirmed" in told
    assert "payout.failed" in told


def test_each_channel_has_separate_work() -> None:
    actions = configured(Setup(options(), Topics()))
    assert [each.name for each in actions.work] == [
        "send log",
        "send mail",
        "send hook",
        "addresses",
    ]


def test_a_url_can_be_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(f"json://host/{SECRET}\n")
    read = options([], channels={"ops": {"url_file": str(path)}})
    url = read.channels["ops"].url
    assert url is not None
    assert url.get_secret_value() == f"json://host/{SECRET}"
    assert SECRET not in repr(read)


WRONG: tuple[tuple[dict[str, object], str], ...] = (
    ({"channels": {"ops": {"url": f"nope://{SECRET}"}}}, "channels.ops.url: not an Apprise URL"),
    ({"channels": {"ops": {}}}, "no url: set url or url_file"),
    ({"channels": {"ops": {"url": MAIL, "url_file": "x"}}}, "url_file: url is given as well"),
    ({"channels": {"ops": {"url_file": "/missing/at/all"}}}, "url_file: cannot read /missing"),
    ({"channels": {"ops": {"url_file": f"json://host/{SECRET}"}}}, "url_file: cannot read the fil"),
    ({"channels": {"log": {"url": MAIL}}}, "channels.log: the built-in channel"),
    ({"channels": {"Ops!": {"url": MAIL}}}, "Ops!: a name is a-z 0-9"),
    ({"channels": {"ops": {"url": MAIL, "per_second": 1}}}, "per_second"),
    ({"rules": [rule("payment.*", "unknown", LOG)]}, "there is no [operators.unknown]"),
    ({"rules": [rule("payment.*", CUSTOMER, "ops")]}, "there is no [channels.ops]"),
    (
        {
            "rules": [rule("payment.*", CUSTOMER, "ops")],
            "channels": {"ops": {"url": "json://host"}},
        },
        "ops cannot reach customers",
    ),
    (
        {
            "rules": [rule("payment.*", "a", "ops")],
            "channels": {"ops": {"url": MAIL}},
            "operators": {"a": {}},
        },
        "ops needs operators.a.email",
    ),
    ({"operators": {"a": {"email": "a@example.com,b@example.com"}}}, "one plain address"),
    ({"operators": {"customer": {}}}, "customer: a name is"),
    ({"language": "../etc"}, "language: expected a tag such as en"),
    ({"templates": "/missing/at/all"}, "/missing/at/all is not a folder"),
    ({"rule": []}, "rule"),
)


@pytest.mark.parametrize(("values", "words"), WRONG, ids=[words for _, words in WRONG])
def test_an_invalid_option_is_named_without_secrets(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NotificationOptions.model_validate(values)
    assert words in str(refused.value)
    assert SECRET not in str(refused.value)


def test_an_invalid_text_fails_any_command_with_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "texts" / "en" / "customer" / "payment.confirmed.txt"
    text.parent.mkdir(parents=True)
    text.write_text("Subject: x\n\n{{ amout }}\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payrouter.toml").write_text('[consumers.notifications]\ntemplates = "texts"\n')
    monkeypatch.setattr("sys.argv", ["payrouter", "config", "show"])
    with CliRunner().isolation() as (_, err, _both), pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    said = err.getvalue().decode()
    assert said.count("\n") == 1
    assert "en/customer/payment.confirmed.txt:3: 'amout' is undefined" in said
