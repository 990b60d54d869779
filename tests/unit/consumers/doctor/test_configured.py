"""Configurations that `payrouter doctor` reads, without asking anything else."""

from pathlib import Path

import pytest

from tests.parts.cli_in_process import Command, commands_in

EDGE = (
    '[endpoints.shop]\nprovider = "blockatm"\naccount = "shop"\nsecrets = ["a-secret-of-a-test"]\n'
)
DATABASE = '[database]\nurl = "postgresql://payrouter@127.0.0.1:1/payrouter"\n'


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return commands_in(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        (EDGE + DATABASE, 0, ["ok configuration valid"]),
        (EDGE, 0, ["ok configuration valid", "warn database none is configured"]),
        (
            EDGE + "[consumers.ledger.database]\n" + DATABASE.splitlines()[1],
            1,
            [
                f"fail consumer {name} database.url: missing, and no `payrouter dev` runs here"
                for name in ("inventory", "notifications")
            ],
        ),
        (
            EDGE + DATABASE + "[edge]\nbody_limit_bytes = 8388608\n",
            1,
            ["fail configuration edge.body_limit_bytes: a body of 8388608 bytes makes"],
        ),
        (
            EDGE + DATABASE + '[kafka]\nsecurity_protocol = "SSL"\nssl_cafile = "missing.pem"\n',
            1,
            ["fail configuration kafka.ssl_cafile, ssl_certfile, ssl_keyfile: FileNotFoundError"],
        ),
        (
            EDGE + DATABASE + "[edge]\nprot = 1\nhots = 2\n",
            2,
            ["fail configuration edge.prot: unknown", "fail configuration edge.hots: unknown"],
        ),
    ],
)
def test_each_problem_of_a_configuration_is_a_result(
    payrouter: Command, text: str, status: int, expected: list[str]
) -> None:
    Path("payrouter.toml").write_text(text, encoding="utf-8")
    said = payrouter("doctor", "--only", "configuration")
    rows = [" ".join(line.split()) for line in said.out.splitlines()[1:-1]]
    assert said.status == status
    assert len(rows) == len(expected)
    assert all(row.startswith(begin) for row, begin in zip(rows, expected, strict=True)), rows


def test_no_endpoint_warns_because_a_consumer_needs_none(payrouter: Command) -> None:
    Path("payrouter.toml").write_text(DATABASE, encoding="utf-8")
    said = payrouter("doctor", "--only", "endpoints", "--json")
    *_, last = said.json
    assert (last["check"], last["state"]) == ("endpoints", "warn")
    assert last["found"] == "none is configured"
