"""Fails the run if any output contains a secret that was used, and reports which and where.

Output that pytest captured is read from every report. Output that tests take before pytest sees it
(`capsys`, click's runner, structlog's `capture_logs`) is recorded when they take it. Python child
processes copy their own output: see `child/sitecustomize.py`.
"""

import functools
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click.testing
import pytest
import structlog.testing
from structlog.processors import JSONRenderer, format_exc_info
from structlog.typing import EventDict

from tests.parts.secrecy.recorder import Recorder, before, watch_secrets
from tests.parts.secrecy.search import Finding, Search, Source

FOLDER: Final = "SECRECY_FOLDER"
_CHILD: Final = str(Path(__file__).parent / "child")
_SHOWN: Final = 40


@dataclass
class Run:
    """Folder with the secrets and the output of this run, and the outcome of the search."""

    folder: Path
    recorder: Recorder
    environ: dict[str, str | None] = field(default_factory=dict)
    outcome: "Outcome | None" = None


@dataclass
class Outcome:
    """Result of the search."""

    findings: list[Finding] = field(default_factory=list)
    secrets: int = 0
    left_out: int = 0
    processes: int = 0
    size: int = 0

    def __str__(self) -> str:
        """Numbers of secrets, of bytes and of processes searched."""
        return (
            f"{self.secrets} secrets looked for in {self.size / 1e6:.1f} MB printed by the tests"
            f" and {self.processes} processes; {self.left_out} are too short or too plain to be"
        )


_RUN: Final = pytest.StashKey[Run]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Create the folder of the run; a worker uses the folder of its run."""
    given = getattr(config, "workerinput", {}).get(FOLDER)
    folder = Path(given or tempfile.mkdtemp(prefix="payrouter-said-"))
    run = config.stash[_RUN] = Run(folder, Recorder(folder))
    if given or config.getoption("dist", "no") == "no":
        watch_secrets(run.recorder)
        _watch_taken(run.recorder)
        _have_children_recorded(run)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Limit the captured log to the loggers that a process would print.

    pytest also captures loggers that do not propagate, such as Apprise's, which logs URLs.
    """
    logging_plugin = session.config.pluginmanager.get_plugin("logging-plugin")
    if logging_plugin is not None:
        logging_plugin.report_handler.addFilter(_is_handed_on)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist's
    """Send a worker the folder of its run."""
    node.workerinput[FOLDER] = str(node.config.stash[_RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Restore the environment and remove the folder."""
    run = config.stash.get(_RUN, None)
    if run is None:
        return
    for name, value in run.environ.items():
        os.environ.pop(name, None)
        os.environ.update({} if value is None else {name: value})
    if not hasattr(config, "workerinput"):
        shutil.rmtree(run.folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record the output of a test after its teardown, when it is complete."""
    report = yield
    if report.when == "teardown":
        for name, text in report.sections:
            item.config.stash[_RUN].recorder.said(name, text, test=report.nodeid)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search the output in the main process, and fail the run if a secret is found."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    run = session.config.stash[_RUN]
    run.outcome = searched(run.folder)
    if run.outcome.findings and session.exitstatus in {0, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the secrets found, or how much was searched without a finding."""
    run = config.stash.get(_RUN, None)
    if run is None or run.outcome is None:
        return
    found = list(dict.fromkeys(str(finding) for finding in run.outcome.findings))
    if found:
        terminalreporter.section("SECRETS WERE PRINTED", red=True, bold=True)
        for line in found[:_SHOWN]:
            terminalreporter.line(line)
        if len(found) > _SHOWN:
            terminalreporter.line(f"... and {len(found) - _SHOWN} more")
    else:
        terminalreporter.section("no secret was printed")
    terminalreporter.line(str(run.outcome))
    if config.getoption("capture") == "no":
        terminalreporter.line("what the tests themselves printed was not captured: -s")


def _is_handed_on(record: logging.LogRecord) -> bool:
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger.propagate:
        logger = logger.parent
    return logger is None or logger is logging.getLogger()


def searched(folder: Path) -> Outcome:
    """Look for every secret of a run in everything it has printed."""
    search = Search()
    for path in sorted(folder.glob("*.secrets")):
        for entry in _entries(path):
            search.add(entry["kind"], bytes.fromhex(entry["value"]))
    outcome = Outcome(secrets=search.secrets, left_out=search.left_out)
    outcome.processes = len(list(folder.glob("*.stderr.who")))
    for source, text in _printed(folder):
        outcome.size += len(text)
        outcome.findings += _first_of_each_kind(search.within(source, text))
    return outcome


def _printed(folder: Path) -> Iterator[tuple[Source, bytes]]:
    for path in folder.glob("*.who"):
        for entry in _entries(path):
            yield Source(**entry), path.with_suffix(".printed").read_bytes()
    for path in folder.glob("*.said"):
        for entry in _entries(path):
            text = entry.pop("text")
            yield Source(**entry), text.encode("utf-8", "surrogatepass")


def _first_of_each_kind(findings: Iterator[Finding]) -> Sequence[Finding]:
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        first.setdefault((finding.kind, finding.form), finding)
    return list(first.values())


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _have_children_recorded(run: Run) -> None:
    before = os.environ.get("PYTHONPATH")
    wanted = {
        FOLDER: str(run.folder),
        "PYTHONPATH": _CHILD if before is None else os.pathsep.join((_CHILD, before)),
    }
    run.environ = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)


def _watch_taken(recorder: Recorder) -> None:
    """Note what a test takes of the output before pytest sees it."""
    read, invoke = pytest.CaptureFixture.readouterr, click.testing.CliRunner.invoke

    @functools.wraps(read)
    def readouterr(fixture: Any) -> Any:  # noqa: ANN401 - texts or bytes
        taken = read(fixture)
        # The commands run within a test are given by sys.argv.
        command = sys.argv if Path(sys.argv[0]).name == "payrouter" else []
        for name, text in zip(("stdout", "stderr"), taken, strict=True):
            recorder.said(name, text if isinstance(text, str) else text.decode("latin-1"), command)
        return taken

    @functools.wraps(invoke)
    def invoked(runner: Any, command: click.Command, args: Any = None, **options: Any) -> Any:  # noqa: ANN401
        result = invoke(runner, command, args, **options)
        words = args.split() if isinstance(args, str) else [*(args or ())]
        for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
            recorder.said(name, text, [command.name or "", *words])
        return result

    def note_line(_capture: object, _logger: object, _level: str, line: EventDict) -> None:
        text = JSONRenderer()(None, "", format_exc_info(None, "", dict(line)))
        recorder.said("log", str(text))

    setattr(pytest.CaptureFixture, "readouterr", readouterr)  # noqa: B010 - not for mypy
    setattr(click.testing.CliRunner, "invoke", invoked)  # noqa: B010 - the same
    before(structlog.testing.LogCapture, "__call__", note_line)
