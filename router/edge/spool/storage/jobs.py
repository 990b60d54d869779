"""Work for the disk, done in order by one thread, and many deliveries with one `fsync`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from router.edge.spool.storage.all_files import AllFiles
from router.edge.spool.storage.codec import EntryPlace, RecordAside

DiskReport = Callable[[], None]
"""DiskReports a result on the event loop."""

MOST_IN_BLOCK = 512
"""Entries that become durable together."""


@dataclass(frozen=True)
class AppendJob:
    """Append an encoded entry; `stored` receives its place, or the error."""

    entry: bytes
    stored: Callable[[EntryPlace | None, OSError | None], None]


@dataclass(frozen=True)
class MarkJob:
    """Mark a record as done."""

    place: EntryPlace
    index: int


@dataclass(frozen=True)
class RemoveJob:
    """Remove a segment, if it has no more entries than these."""

    segment: str
    entries: int


@dataclass(frozen=True)
class AsideJob:
    """Set a record aside; `done` receives the error, if it failed."""

    aside: RecordAside
    done: Callable[[OSError | None], None]


DiskJob = AppendJob | MarkJob | RemoveJob | AsideJob


def perform(
    files: AllFiles, jobs: Sequence[DiskJob], failed: Callable[[OSError], None]
) -> list[DiskReport]:
    """Do all of the jobs; return what has to be reported, in order.

    `failed` receives an error of a mark or a removal, which costs a repetition and no record.
    """
    appends = [job for job in jobs if isinstance(job, AppendJob)]
    reports = [
        report
        for start in range(0, len(appends), MOST_IN_BLOCK)
        for report in _append(files, appends[start : start + MOST_IN_BLOCK])
    ]
    reports += [_set_aside(files, job) for job in jobs if isinstance(job, AsideJob)]
    removals = [job for job in jobs if isinstance(job, RemoveJob)]
    try:
        removed = {job.segment for job in removals if files.remove(job.segment, job.entries)}
        _mark(files, (job for job in jobs if isinstance(job, MarkJob)), removed)
    except OSError as error:
        failed(error)
    return reports


def failed(jobs: Sequence[DiskJob], error: OSError) -> list[DiskReport]:
    """Return the reports of jobs of which none is known to be done."""
    appends = [_appended(job, None, error) for job in jobs if isinstance(job, AppendJob)]
    return appends + [_aside_done(job, error) for job in jobs if isinstance(job, AsideJob)]


def _append(files: AllFiles, jobs: Sequence[AppendJob]) -> list[DiskReport]:
    try:
        places = files.commit([job.entry for job in jobs])
    except OSError as error:
        return [_appended(job, None, error) for job in jobs]
    return [_appended(job, place, None) for job, place in zip(jobs, places, strict=True)]


def _appended(job: AppendJob, place: EntryPlace | None, error: OSError | None) -> DiskReport:
    return lambda: job.stored(place, error)


def _set_aside(files: AllFiles, job: AsideJob) -> DiskReport:
    try:
        files.set_aside(job.aside)
    except OSError as error:
        return _aside_done(job, error)
    return _aside_done(job, None)


def _aside_done(job: AsideJob, error: OSError | None) -> DiskReport:
    return lambda: job.done(error)


def _mark(files: AllFiles, jobs: Iterable[MarkJob], removed: set[str]) -> None:
    by_segment: dict[str, list[tuple[int, int]]] = {}
    for job in jobs:
        by_segment.setdefault(job.place.segment, []).append((job.place.offset, job.index))
    for segment, done in by_segment.items():
        if segment not in removed and files.has(segment):
            files.mark(segment, done)
