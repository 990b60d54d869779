"""A data directory belongs to one `dev` at a time, whose options override its file."""

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from router.errors import ConfigurationError
from router.evaluation.data_dir import DataDir, resolve_settings

HOLDING = (
    "import sys, pathlib; from router.evaluation.data_dir import DataDir\n"
    "with DataDir(pathlib.Path(sys.argv[1])).held(): print('held', flush=True); sys.stdin.read()"
)


def test_directory_locked_by_another_process_is_refused_until_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(ConfigurationError, match=r"^--data-dir: dev already runs on [^,]*$"),
            DataDir(tmp_path).held(),
        ):
            pass
        other.kill()
        other.wait()
        with DataDir(tmp_path).held():
            pass


def test_holder_is_named_if_it_has_announced_itself(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path)
    with data_dir.held():
        data_dir.announce({})
        with (
            pytest.raises(ConfigurationError, match=f", as process {os.getpid()}$"),
            data_dir.held(),
        ):
            pass


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(ConfigurationError, match=r"^--data-dir: cannot write .*lock: Is a dir"):
        contextlib.ExitStack().enter_context(DataDir(tmp_path).held())


def test_widened_directory_is_restricted_again_except_for_traversal(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "data")
    data_dir.make()
    with data_dir.kept_private():
        data_dir.path.chmod(0o755)
    assert stat.S_IMODE(data_dir.path.stat().st_mode) == 0o711
    with data_dir.kept_private():
        pass
    assert stat.S_IMODE(data_dir.path.stat().st_mode) == 0o711


def test_ports_of_a_running_dev_override_only_its_own_configuration(
    tmp_path: Path,
) -> None:
    own, other = tmp_path / "own.toml", tmp_path / "other.toml"
    for path in (own, other):
        path.write_text("[edge]\nport = 7\n")
    data_dir = DataDir(tmp_path)
    ports = {"edge": {"port": 8, "management_port": 9}}
    data_dir.announce({"config": str(own), "ports": ports, "addresses": {}})
    environ = {"PAYROUTER_EDGE__MANAGEMENT_PORT": "10"}

    told = resolve_settings(own, data_dir, environ).edge
    foreign = resolve_settings(other, data_dir, environ).edge
    assert (told.port, told.management_port) == (8, 9)
    assert (foreign.port, foreign.management_port) == (7, 10)
