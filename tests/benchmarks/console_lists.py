"""`python -m tests.benchmarks.console_lists`: what the console's lists cost with a million events.

Measures the CPU time of the console and of PostgreSQL for the first page of every list, walks 50
pages of each, and downloads lists of all events. Exits with status 1 if a first page costs more
than `MOST_MS`, or memory grows by more than `MOST_MIB`.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import unescape
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from consumers.console.app import PAGES
from tests.benchmarks.running.clocks import cpu_seconds, machine, memory_mib, require_linux
from tests.benchmarks.running.database import Database, connected, started_database
from tests.benchmarks.running.many_rows import fill
from tests.benchmarks.running.servers import free_port
from tests.parts.waiting import until

MOST_MS: Final = 300
MOST_MIB: Final = 32
ROUNDS: Final = 5
DOWNLOADED: Final = 50 * 2**20
"""Bytes of a download that are read at most."""

FILTERED: Final = (
    "/books?account=shop-0&at={past}",
    "/books/statement?account=shop-19",
    "/books/statement?account=shop-0:resmic:fees",
    "/books/statement?account=shop-0&first={first}&through={past}",
    "/books/statement?currency=EUR",
    "/books/statement?network=TRON",
    "/books/statement?order=A-777",
    "/books/orders?status=short",
    "/books/orders?status=waiting",
    "/books/orders?account=shop-19",
    "/books/orders?order=A-777",
    "/books/messages?state=failed",
    "/books/messages?state=skipped",
    "/books/messages?account=shop-19",
    "/books/messages?kind=payment.refunded",
    "/books/messages?order=A-777",
    "/books/month?month={month}&account=shop-19",
    "/books/month?month={month}",
)
"""Lists with filters that someone may choose; some match few rows."""

REPORTS: Final = ("/books/month",)
"""Sums of a whole month: not a list, so measured without a bound."""

_NEXT: Final = re.compile(r'rel="next" href="([^"]+)"')


@dataclass(frozen=True)
class ListCost:
    """What a list costs: milliseconds of CPU, of the first page and of the last one walked."""

    path: str
    status: int
    console_ms: float
    database_ms: float
    pages: int = 1
    last_page_ms: float = 0

    @property
    def first_ms(self) -> float:
        """The sum for the first page."""
        return self.console_ms + self.database_ms


@dataclass(frozen=True)
class _Bench:
    database: Database
    pid: int
    port: int

    def get(self, path: str, most: int | None = None) -> tuple[int, str]:
        """Load a page, return its status and text; reads this number of bytes at most."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read(most).decode("utf-8", "replace")
        finally:
            connection.close()

    def measured(self, path: str, rounds: int) -> tuple[int, float, float, str]:
        """Return status, milliseconds of the console and of the database, and the page."""
        status, text = self.get(path)
        console, database = cpu_seconds(self.pid), self.database.cpu_seconds()
        for _ in range(rounds):
            status, text = self.get(path)
        spent = cpu_seconds(self.pid) - console
        stored = self.database.cpu_seconds() - database
        return status, round(1000 * spent / rounds, 1), round(1000 * stored / rounds, 1), text

    def walked(self, path: str, pages: int) -> ListCost:
        """Measure the first page of a list, then follow its links to the next ones."""
        status, console, database, text = self.measured(path, ROUNDS)
        number, last = 1, console + database
        while number < pages and (found := _NEXT.search(text)):
            number += 1
            following = unescape(found[1])
            if number == pages:
                _, own, stored, text = self.measured(following, ROUNDS)
                last = own + stored
            else:
                reached, text = self.get(following)
                assert reached == status, (following, reached, text)
        return ListCost(path, status, console, database, number, last)


def main() -> None:
    """Fill the database, measure, print; exits with status 1 if a bound is exceeded."""
    options = _parser().parse_args()
    require_linux()
    with started_database() as database:
        _say(f"making {options.events:,} events")
        asyncio.run(_filled(database, options.events))
        with _console(database, options.broker) as bench:
            result = _measured(bench, options.pages)
    _say(json.dumps(result, indent=2))
    sys.exit(1 if result["exceeded"] else 0)


def _measured(bench: _Bench, pages: int) -> dict[str, object]:
    costs = []
    bench.get("/")
    for path in (*every_list(), *_filtered()):
        costs.append(bench.walked(path, pages))
        _say(f"{costs[-1].first_ms:8.1f} ms  {costs[-1].status}  {path}")
    before = memory_mib(bench.pid)
    for path in ("/books/statement.csv", "/books/messages.json"):
        bench.get(path, DOWNLOADED)
    grown = round(memory_mib(bench.pid) - before, 1)
    lists = [each for each in costs if each.status == 200 and not each.path.startswith(REPORTS)]
    slow = [each.path for each in lists if each.first_ms > MOST_MS]
    return {
        "machine": machine(),
        "lists": [asdict(each) for each in costs],
        "grown_mib": grown,
        "exceeded": slow + (["memory"] if grown > MOST_MIB else []),
    }


def every_list() -> Sequence[str]:
    """Return the paths of all lists of all pages."""
    return [
        f"/{page.name}{route.path.removesuffix('.rows')}"
        for page in PAGES
        for route in page.routes
        if route.path.endswith(".rows")
    ]


def _filtered() -> Sequence[str]:
    now = time.time()
    days = {"past": now - 200 * 86_400, "first": now - 230 * 86_400, "month": now - 90 * 86_400}
    texts = {name: time.strftime("%Y-%m-%d", time.gmtime(each)) for name, each in days.items()}
    return [each.format(**{**texts, "month": texts["month"][:7]}) for each in FILTERED]


async def _filled(database: Database, rows: int) -> None:
    await fill(database.url, rows)
    async with connected(database.url) as connection:
        # It would be counted as the lists' own time.
        await connection.execute("ALTER SYSTEM SET autovacuum = off")
        await connection.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def _console(database: Database, broker: str) -> Iterator[_Bench]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "payrouter.toml"
        url = make_url(database.url).set(drivername="postgresql")
        text = url.render_as_string(hide_password=False)
        path.write_text(
            f'[database]\nurl = "{text}"\n[kafka]\nbootstrap_servers = "{broker}"\n'
            f"[console]\nport = {port}\nmanagement_port = 0\nread_seconds = 30\n"
            "request_seconds = 120\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "consumers", "console", "--config", str(path)]
        log = (Path(folder) / "log").open("w", encoding="utf-8")
        with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            bench = _Bench(database, process.pid, port)
            try:
                until(lambda: _answers(bench) or None, "the console")
                yield bench
            finally:
                process.terminate()


def _answers(bench: _Bench) -> bool:
    with contextlib.suppress(OSError):
        return bench.get("/")[0] == 200
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.console_lists")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--broker", default="127.0.0.1:1", help="of the lists that read a topic")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
