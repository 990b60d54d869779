"""All problems of a configuration are reported at once, one per line, with the nearest name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SECRET = "sck_hidden-0123456789"

_EVERYTHING_WRONG = f"""
[endpoints.shop]
provider = "blockatm"
secrets = ["{_SECRET}"]
tolerence_seconds = 5
[endpoints.bee]
provider = "blockbe"
secrets = ["{_SECRET}"]
account = "shop"
[endpoints.files]
provider = "resmic"
secret_files = ["/missing/1", "/missing/2"]
[endpoints.hmac]
provider = "generic_hmac"
secrets = ["another-{_SECRET}"]
algorithm = "sha265"
[endpoints.standard]
provider = "standard_webhooks"
secrets = ["whsec_short"]
[endpoints.Bad]
provider = "resmic"
secrets = ["a third-{_SECRET}"]
[endpoints.two]
provider = "resmic"
secrets = ["{_SECRET}"]
account = "another-shop"
[edge]
prot = 1
body_limit_bytes = 5
[kafka]
security_protocol = "SASL_SLS"
sasl_passwrd = "{_SECRET}"
[database]
url = "mysql://u:{_SECRET}@h/d"
[topics.names]
paymnt = "x"
payout = "y z"
[log]
level = "warn"
[consumers.leger]
[consumers.ledger]
batch_recrds = 1
group = 1
[consumers.ledger.database]
urk = 1
[consumers.notifications]
attempts = 0
chanels = 1
"""

_LINES = [
    "PAYROUTER_LOG__LEVEL__X: level is not a table",
    "PAYROUTER_ORDER__FIELDS: a list is written as JSON",
    "consumers.ledger.batch_recrds: unknown key; did you mean batch_records? (payrouter.toml:42)",
    "consumers.ledger.database.urk: unknown key; did you mean url? (payrouter.toml:45)",
    "consumers.ledger.group: unknown key; did you mean group_id? (payrouter.toml:43)",
    (
        "consumers.leger: there is no such consumer; there are inventory, ledger,"
        " notifications; did you mean ledger? (payrouter.toml:40)"
    ),
    (
        "consumers.notifications.attempts: Input should be greater than or equal to 1"
        " (payrouter.toml:47)"
    ),
    "consumers.notifications.chanels: unknown key; did you mean channels? (payrouter.toml:48)",
    (
        "database.url: expected postgresql+asyncpg://user:password@host:port/database"
        " (payrouter.toml:34)"
    ),
    "edge.body_limit_bytes: Input should be greater than or equal to 1024 (payrouter.toml:29)",
    "edge.prot: unknown key; did you mean port? (payrouter.toml:28)",
    (
        "endpoints.Bad.secrets.0: has white space inside: are these several secrets, or"
        " a sentence? (payrouter.toml:22)"
    ),
    (
        "endpoints.bee.provider: unknown provider blockbe; expected one of blockatm,"
        " blockbee, generic_hmac, pulse2pay, resmic, standard_webhooks; did you mean"
        " blockbee? (payrouter.toml:7)"
    ),
    "endpoints.files.secret_files: cannot read /missing/1: FileNotFoundError (payrouter.toml:12)",
    "endpoints.files.secret_files: cannot read /missing/2: FileNotFoundError (payrouter.toml:12)",
    (
        "endpoints.hmac.algorithm: Input should be 'sha256', 'sha384' or 'sha512'; did"
        " you mean sha256? (payrouter.toml:16)"
    ),
    "endpoints.hmac.mapping: Field required (payrouter.toml:13)",
    (
        "endpoints.shop.tolerence_seconds: unknown key; did you mean tolerance_seconds?"
        " (payrouter.toml:5)"
    ),
    (
        "endpoints.standard.secrets: expected whsec_ and 24 to 64 bytes in base64"
        " (payrouter.toml:19)"
    ),
    (
        "endpoints.two.secrets: the same secret is set for endpoints.shop, which has"
        " another account (payrouter.toml:25)"
    ),
    "kafka.sasl_passwrd: unknown key; did you mean sasl_password? (payrouter.toml:32)",
    (
        "kafka.security_protocol: Input should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT'"
        " or 'SASL_SSL'; did you mean SASL_SSL? (payrouter.toml:31)"
    ),
    (
        "log.level: Input should be 'debug', 'info', 'warning' or 'error'; did you mean"
        " warning? (payrouter.toml:39)"
    ),
    "topics: names.payout: A-Z a-z 0-9 . _ - only, at most 200 characters (payrouter.toml:37)",
    "topics: names: there is no topic paymnt; did you mean payment? (payrouter.toml:35)",
]


def _ran(directory: Path, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "consumers", *command.split()]
    root = str(Path(__file__).parents[4])
    return subprocess.run(
        whole,
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": root, **environ},
        timeout=60,
    )


@pytest.mark.parametrize("command", ["edge", "config show", "consume ledger"])
def test_every_command_reports_all_problems_at_once(tmp_path: Path, command: str) -> None:
    (tmp_path / "payrouter.toml").write_text(_EVERYTHING_WRONG)

    ended = _ran(
        tmp_path,
        command,
        PAYROUTER_LOG__LEVEL__X=_SECRET,
        PAYROUTER_ORDER__FIELDS=f'["{_SECRET}"',
    )

    lines = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert sorted(line.removeprefix("payrouter: ") for line in lines) == sorted(_LINES)
    assert all(line.startswith("payrouter: ") for line in lines)
    assert _SECRET not in ended.stderr


def test_problems_that_only_the_edge_checks_are_reported_at_once_too(tmp_path: Path) -> None:
    (tmp_path / "payrouter.toml").write_text(
        """
        [endpoints.one]
        provider = "resmic"
        secrets = ["x1"]
        tokn = 1
        [endpoints.two]
        provider = "resmik"
        secrets = ["x2"]
        [endpoints.three]
        provider = "resmic"
        [edge]
        body_limit_bytes = 8000000
        tls_certificate = "/missing/certificate.pem"
        tls_key = "/missing/key.pem"
        """
    )

    ended = _ran(tmp_path, "edge")

    lines = [line.removeprefix("payrouter: ") for line in ended.stderr.splitlines()]
    assert ended.returncode == 2
    assert lines[0] == "endpoints.one.tokn: unknown key; did you mean token? (payrouter.toml:5)"
    assert lines[1].endswith("did you mean resmic? (payrouter.toml:7)")
    assert lines[2] == (
        "endpoints.three: no secret: set secrets or secret_files (payrouter.toml:9)"
    )
    assert lines[3].startswith("edge.body_limit_bytes: a body of 8000000 bytes")
    assert lines[4].startswith("edge.tls_certificate, tls_key: cannot be used: FileNotFoundError")
    assert len(lines) == 5


def test_a_syntax_error_stays_one_line(tmp_path: Path) -> None:
    (tmp_path / "payrouter.toml").write_text(f'[edge]\nport = "{_SECRET}\n[kafka]\nx = {_SECRET}')

    ended = _ran(tmp_path, "edge")

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert _SECRET not in ended.stderr
