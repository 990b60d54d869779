"""Publishes spools that no running edge uses, and records that are set aside."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from router.broker.adapter.bootstrap import cause_of
from router.commands.actions.configured import load_settings
from router.commands.actions.spool.show import contents_of, described
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.edge.app import EdgeProcess, build_edge
from router.edge.spool.leftovers import SLOT
from router.edge.spool.reading import SpoolContent
from router.edge.spool.storage.codec import RecordAside
from router.errors import NotDurable
from router.terminal.output import show_json
from router.terminal.processes import run_async

_LOOK_SECONDS = 0.05
_SEND_SECONDS = 30.0


@dataclass
class DrainReport:
    """What was published, how many records are left, and why, if it is known."""

    published: int = 0
    left: int = 0
    refused: list[str] = field(default_factory=list)


def drain_spools(invocation: Invocation, *, yes: bool, seconds: float, as_json: bool) -> int:
    """Publish what may be published and print the result; return the exit status."""
    settings = load_settings(invocation)
    contents = contents_of(settings)
    report = DrainReport(left=sum(each.records for each in _unused(contents)))
    report.left += sum(len(each.asides) for each in contents)
    if yes and report.left:
        report = run_async(_drained(settings, contents, seconds))
    if as_json:
        show_json({"done": yes, **vars(report)})
    else:
        _show(contents, report, done=yes)
    return int(yes and bool(report.left))


async def _drained(
    settings: Settings, contents: Sequence[SpoolContent], seconds: float
) -> DrainReport:
    report = DrainReport()
    unused = _unused(contents)
    # It takes over the other spools that no process uses.
    slot = int(unused[0].folder.name.removeprefix(SLOT)) if unused else None
    process = build_edge(settings, slot=slot or 1)
    async with process.publisher.running(), process.topics.running():
        if slot is not None:
            await _drain_waiting(process, sum(each.records for each in unused), seconds, report)
        for content in contents:
            for path, aside in content.asides:
                await _publish(process, path, aside, report)
    return report


async def _drain_waiting(
    process: EdgeProcess, records: int, seconds: float, report: DrainReport
) -> None:
    spool = process.spool
    assert spool is not None  # noqa: S101 - spool.path is set
    with spool.opened():
        async with spool.running(), spool.publishing():
            left = records
            try:
                async with asyncio.timeout(seconds):
                    # The publisher's results are counted by the spool alone.
                    while left:
                        await asyncio.sleep(_LOOK_SECONDS)
                        left = records - spool.finished
            except TimeoutError:
                report.refused.append(spool.spool.problem() or process.ready().detail)
        report.published += spool.finished
        report.left += left


async def _publish(
    process: EdgeProcess, path: Path, aside: RecordAside, report: DrainReport
) -> None:
    """Publish one record that was set aside, and remove its file once it is acknowledged."""
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            await process.publisher([aside.record])
    except (NotDurable, TimeoutError) as problem:
        report.left += 1
        report.refused.append(f"{described(aside.record)}: {cause_of(problem)}")
    else:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        report.published += 1


def _unused(contents: Sequence[SpoolContent]) -> list[SpoolContent]:
    return [each for each in contents if each.process is None and each.records]


def _show(contents: Sequence[SpoolContent], report: DrainReport, *, done: bool) -> None:
    for each in contents:
        if each.process is not None:
            click.echo(
                f"{each.folder}: in use by process {each.process}, which publishes its"
                f" {each.records} records itself"
            )
        for problem in each.problems:
            click.echo(f"{problem.path}: {problem.why}; not published")
    if not done:
        click.echo(f"would publish {report.left} records; --yes does it")
        return
    for line in report.refused:
        click.echo(line)
    click.echo(f"{report.published} records published, {report.left} are left")
