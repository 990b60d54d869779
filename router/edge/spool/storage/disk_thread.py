"""The thread that does the disk's work, so that a slow `fsync` never delays the event loop."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from router.edge.spool.storage.all_files import AllFiles
from router.edge.spool.storage.jobs import DiskJob, DiskReport, failed, perform


class DiskThread:
    """Does jobs in order; everything posted while one `fsync` runs is stored by the next one.

    `failed` receives errors that lose no record, on the event loop.
    """

    def __init__(self, files: AllFiles, failed: Callable[[OSError], None]) -> None:
        """Store the parts; `running` starts the thread."""
        self._files = files
        self._failed = failed
        self._jobs: list[DiskJob] = []
        self._posted = threading.Condition()
        self._stopping = False

    def post(self, job: DiskJob) -> None:
        """Queue a job; its result is reported on the event loop."""
        with self._posted:
            self._jobs.append(job)
            self._posted.notify()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do jobs while the block runs; every job has been done and reported at its end."""
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._run, args=(loop,), name="spool", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._posted:
                self._stopping = True
                self._posted.notify()
            await asyncio.shield(asyncio.to_thread(thread.join))
            # The reports were queued before the thread ended.
            await asyncio.sleep(0)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while jobs := self._next():
            try:
                reports = perform(self._files, jobs, partial(self._report_failure, loop))
            except Exception as error:  # noqa: BLE001 - every delivery needs its result
                loop.call_soon_threadsafe(_raise, error)
                reports = failed(jobs, OSError(f"a bug: {type(error).__name__}"))
            loop.call_soon_threadsafe(_report_all, reports)
        with contextlib.suppress(OSError):
            self._files.close()

    def _next(self) -> Sequence[DiskJob]:
        """Wait for jobs; return all of them, none if the thread has to end."""
        with self._posted:
            while not self._jobs and not self._stopping:
                self._posted.wait()
            jobs, self._jobs = self._jobs, []
            return jobs

    def _report_failure(self, loop: asyncio.AbstractEventLoop, error: OSError) -> None:
        loop.call_soon_threadsafe(self._failed, error)


def _raise(error: Exception) -> None:
    raise error


def _report_all(reports: Sequence[DiskReport]) -> None:
    loop = asyncio.get_running_loop()
    for report in reports:
        try:
            report()
        except Exception as error:  # noqa: BLE001 - the other results must be reported
            context = {"message": "a result of the spool failed", "exception": error}
            loop.call_exception_handler(context)
