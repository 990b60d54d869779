"""A run of tests fails by a secret that it, or a process below it, has printed."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECRET = "Vt5-never-to-be-seen-81"

# What the sub-run's tests have in common; the secret is put together there too, so that the
# text of the test, which pytest shows where it fails, does not hold it.
COMMON = """
import base64, logging, subprocess, sys, threading
from pydantic import SecretStr
SECRET = SecretStr("Vt5-never-" + "to-be-seen-81")
SAYING = '''
import sys
from pydantic import SecretStr
secret = SecretStr("Vt5-never-" + "to-be-seen-81").get_secret_value()
'''
def below(program, *options):
    command = [sys.executable, *options, "-c", SAYING + program]
    return subprocess.run(command, capture_output=True, text=True)
"""

LEAKS = {
    "a_print": "print('the key is', SECRET.get_secret_value())",
    "a_line_of_log": "logging.getLogger('a').warning('key %s', SECRET.get_secret_value())",
    "base64": "print(base64.b64encode(b'x:' + SECRET.get_secret_value().encode()))",
    "what_a_test_took": "print(SECRET.get_secret_value())\n    capsys.readouterr()",
    "a_traceback_of_a_process": "assert below('raise ValueError(secret)').returncode == 1",
    "bytes_of_a_process": "assert below('sys.stdout.buffer.write(secret.encode())').stdout",
    "a_killed_process": (
        "assert below('print(secret, flush=True); import os; os.kill(os.getpid(), 9)').returncode"
    ),
    "an_unbuffered_process": "assert below('print(secret)', '-u', '-P').stdout",
    "a_process_of_a_process": """below('''
import subprocess
program = "import sys; from pydantic import SecretStr; "
program += "s = SecretStr('Vt5-never-' + 'to-be-seen-81'); sys.stderr.write(s.get_secret_value())"
subprocess.run([sys.executable, '-P', '-c', program], stderr=subprocess.DEVNULL)
''', '-P')""",
}
SILENT = {
    "nothing": "assert 'never' in SECRET.get_secret_value()",
    "its_length": "assert below('print(len(secret))').stdout == '23\\n'",
}


def run(folder: Path, bodies: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests with these bodies in a separate pytest, isolated from this one."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    tests = (f"def test_{name}(capsys):\n    {body}\n" for name, body in bodies.items())
    (folder / "test_it.py").write_text("\n".join((COMMON, *tests)))
    kept = {k: v for k, v in os.environ.items() if k not in {"SECRECY_FOLDER", "PYTHONPATH"}}
    command = [
        "-m",
        "pytest",
        "-p",
        "tests.parts.secrecy.plugin",
        "-p",
        "no:cacheprovider",
        *options,
    ]
    return subprocess.run(
        [sys.executable, *command, "-c", str(folder / "pytest.ini"), str(folder)],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_a_printed_secret_fails_the_run_by_the_name_of_its_test_and_is_not_shown(
    tmp_path: Path, options: Sequence[str]
) -> None:
    said = run(tmp_path, LEAKS, *options)
    assert f"{len(LEAKS)} passed" in said.stdout
    assert said.returncode == pytest.ExitCode.TESTS_FAILED
    _, _, told = said.stdout.partition("SECRETS WERE PRINTED")
    named = re.findall(r"test_it\.py::test_(\w+)[^:]*: SecretStr (?:as it is|in base64)", told)
    assert set(named) == set(LEAKS), told
    assert SECRET not in said.stdout + said.stderr


def test_a_run_that_prints_no_secret_passes_and_reports_how_much_was_searched(
    tmp_path: Path,
) -> None:
    said = run(tmp_path, SILENT)
    assert said.returncode == pytest.ExitCode.OK, said.stdout
    assert "1 secrets looked for in" in said.stdout
    assert "and 1 processes" in said.stdout
