"""The systemd units: systemd accepts them, their sandbox is tight, and they run what exists."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Final

import click
import pytest

from consumers.cli import command_line
from consumers.discovery import discover
from consumers.runtime.settings import Tuning
from router.configuration.sources import read_sources

FOLDER: Final = Path(__file__).parents[3] / "deploy" / "systemd"
UNITS: Final = sorted(FOLDER.glob("*.service"))
PAYROUTER: Final = "/opt/payrouter/bin/payrouter"
CONSUMERS: Final = ("ledger", "inventory", "notifications")
SANDBOX: Final = re.compile(r"# The sandbox.*?\n(?=\n\[Install\])", re.DOTALL)

EXPOSURE: Final = 15
"""Highest exposure that `systemd-analyze security` may report, in tenths; 96 has no sandbox."""


def values_of(unit: Path) -> dict[str, list[str]]:
    """Read the values of each key, which may be given several times."""
    found = defaultdict(list)
    for line in unit.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value)
    return found


def environment_of(unit: Path, instance: str = "1") -> dict[str, str]:
    pairs = [each.replace("%i", instance) for each in values_of(unit)["Environment"]]
    return dict(each.split("=", 1) for each in pairs)


def unit_of(name: str) -> Path:
    return next(each for each in UNITS if each.stem.removesuffix("@") == f"payrouter-{name}")


def test_every_process_of_a_deployment_has_a_unit() -> None:
    names = {each.stem.removeprefix("payrouter-").removesuffix("@") for each in UNITS}
    assert names == {"edge", "exporter", "console", *CONSUMERS}
    assert set(CONSUMERS) <= discover().keys()
    target = values_of(FOLDER / "payrouter.target")
    wanted = {each for line in target["Wants"] for each in line.split()}
    assert wanted == {each.name.replace("@", "@1") for each in UNITS}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_unit_runs_a_command_that_exists_with_variables_that_are_settings(unit: Path) -> None:
    (start,) = values_of(unit)["ExecStart"]
    program, command, *arguments = start.split()
    assert program == PAYROUTER
    own = command_line().get_command(click.Context(command_line()), command)
    assert own is not None
    with own.make_context(command, list(arguments)):
        pass
    environ = environment_of(unit)
    environ.pop("PAYROUTER_CONFIG")
    # Also accepted by the settings: an unknown one would be a problem of the start.
    tables = read_sources(None, environ).get("consumers", {})
    for name, table in tables.items():
        assert arguments == [name]
        assert Tuning.model_validate(table).instance_id == f"{name}-1"


def test_processes_of_one_machine_share_neither_port_nor_member() -> None:
    used = [
        Tuning.model_validate(read_sources(None, own)["consumers"][name])
        for name in CONSUMERS
        for instance in "19"
        if (own := environment_of(unit_of(name), instance)).pop("PAYROUTER_CONFIG")
    ]
    ports = [each.management_port for each in used]
    assert len(set(ports)) == len({each.instance_id for each in used}) == len(used)
    # The ports of edge, exporter and console.
    assert not {8080, 9080, 9082, 9083, 9480}.intersection(range(min(ports), max(ports) + 1))


def test_only_the_edge_is_reloaded_and_drains_its_workers() -> None:
    reloaded = {each.stem for each in UNITS if values_of(each)["ExecReload"]}
    assert reloaded == {"payrouter-edge"}
    edge = values_of(unit_of("edge"))
    assert edge["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert edge["KillMode"] == ["mixed"]


def test_each_process_sees_its_own_secrets_alone() -> None:
    hidden = {each.stem: values_of(each)["InaccessiblePaths"] for each in UNITS}
    secrets = "-/etc/payrouter/secrets"
    assert hidden.pop("payrouter-edge") == [f"{secrets}/consumers"]
    assert set(map(tuple, hidden.values())) == {(f"{secrets}/edge",)}
    made = (FOLDER / "tmpfiles.conf").read_text()
    assert {f"{secrets[1:]}/edge", f"{secrets[1:]}/consumers"} <= set(made.split())


def test_every_unit_has_the_same_sandbox_and_the_user_that_is_made() -> None:
    boxes = {SANDBOX.findall(each.read_text())[0] for each in UNITS}
    assert len(boxes) == 1
    (user,) = {tuple(values_of(each)["User"]) for each in UNITS}
    assert re.search(rf"^u {user[0]} ", (FOLDER / "sysusers.conf").read_text(), re.MULTILINE)


@pytest.fixture
def installed(tmp_path: Path, *, wishes_ci: bool) -> Path:
    """Return a folder of the units whose program exists on this machine."""
    if shutil.which("systemd-analyze") is None:
        (pytest.fail if wishes_ci else pytest.skip)("systemd-analyze is not installed")
    for each in (*UNITS, FOLDER / "payrouter.target"):
        text = each.read_text().replace(PAYROUTER, "/usr/bin/env")
        (tmp_path / each.name).write_text(text)
    return tmp_path


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(shutil.which("systemd-analyze")), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_accepts_every_unit(installed: Path) -> None:
    files = [f"./{each.name}" for each in sorted(installed.iterdir())]
    done = analyze("verify", "--man=no", *files, folder=installed)
    assert (done.returncode, done.stderr) == (0, "")


def test_sandbox_leaves_little_exposed(installed: Path) -> None:
    for unit in UNITS:
        command = ("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}")
        done = analyze(*command, f"./{unit.name}", folder=installed)
        assert done.returncode == 0, done.stdout[-400:]
