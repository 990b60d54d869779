"""`make rolling ARGS="--from COMMIT"`: upgrade a running system under load, and scale it.

Prints what was sent and the longest delays; fails if a payment is missing from the books or the
messages, or is in them twice.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from tests.parts.brokers import own_apache_kafka
from tests.parts.databases import fresh_database, server_of
from tests.parts.disaster.shop import connected
from tests.parts.edge.edge_server import SECRET
from tests.parts.folders import server_folder
from tests.parts.notifications.receivers import Hook, hook
from tests.parts.rolling.fleet import CONFIG, Fleet, fleet
from tests.parts.rolling.load import Gateway
from tests.parts.rolling.versions import ROOT, Version

CALM_SECONDS = 5.0
"""How long each state of the system lasts, besides the change itself."""

STILL_SECONDS = 60.0
"""After so long without a change, what is missing does not come."""

BOOKED = (
    "SELECT count(*), count(DISTINCT reference), max(applied_at - received_at), max(amount)"
    " FROM ledger.event"
)
RECEIVED = (
    "SELECT sum(amount) FROM ledger.posting JOIN ledger.account ON account.id = account_id"
    " WHERE purpose = 'wallet'"
)


@dataclass(frozen=True)
class Run:
    """One run: what was done, and how long it took."""

    gateway: Gateway

    async def step(self, what: str, doing: Awaitable[object]) -> None:
        """Do something under load, and report the longest delay of what was sent then."""
        before, began = set(self.gateway.delays), time.monotonic()
        await doing
        lasted = time.monotonic() - began
        await asyncio.sleep(CALM_SECONDS)
        delays = self.gateway.delays
        longest = max((delays[each] for each in delays.keys() - before), default=0.0)
        say(f"{what:<52} {lasted:6.1f} s   longest delivery {longest:5.2f} s")


async def played(old: Version, new: Version, rate: float, folder: Path) -> None:
    """Run the old version under load, replace it by the new one, and scale."""
    with own_apache_kafka() as kafka, server_of(None) as server, fresh_database(server) as url:
        async with hook() as receiver:
            config = folder / "payrouter.toml"
            config.write_text(
                CONFIG.format(secret=SECRET, bootstrap=kafka.bootstrap, url=url, hook=receiver.url)
            )
            old.run("topics", "apply", config=config)
            old.run("db", "upgrade", config=config)
            async with fleet(config) as system:
                await system.start(old)
                gateway = Gateway(system.ports, rate)
                async with gateway.delivering():
                    await replaced(Run(gateway), system, old, new)
                await compared(gateway, url, receiver)


async def replaced(run: Run, system: Fleet, old: Version, new: Version) -> None:
    """Upgrade in the order of UPGRADING.md, go back with a consumer, and scale it."""

    async def tables() -> None:
        await asyncio.to_thread(new.run, "topics", "apply", config=system.config)
        await asyncio.to_thread(new.run, "db", "upgrade", config=system.config)

    await run.step("the old version alone", asyncio.sleep(CALM_SECONDS))
    await run.step("topics apply, db upgrade", tables())
    await run.step("consumers, one process after the other", system.replace_consumers(new))
    await run.step("edges, one process after the other", system.replace_edges(new))
    await run.step("the ledger back to the old version", system.replace_consumers(old, "ledger"))
    await run.step("the ledger to the new version again", system.replace_consumers(new, "ledger"))
    await run.step("the ledger scaled to 1", system.scale(new, "ledger", 1))
    await run.step("the ledger scaled to 3", system.scale(new, "ledger", 3))
    await run.step("the ledger scaled to 1", system.scale(new, "ledger", 1))


async def compared(gateway: Gateway, url: str, receiver: Hook) -> None:
    """Compare books and messages with what was accepted."""
    await caught_up(gateway, url, receiver)
    async with connected(url) as connection:
        events, orders, late, amount = (await connection.execute(text(BOOKED))).one()
        received = await connection.scalar(text(RECEIVED))
    say(f"sent {gateway.sent}, sent again {gateway.again}, accepted {len(gateway.delays)}")
    say(f"longest delivery {max(gateway.delays.values()):.2f} s (with resending)")
    say(f"longest from the edge to the books {late.total_seconds():.2f} s")
    say(f"booked {events}, orders {orders}, received {received}, messages {len(receiver.keys)}")
    assert events == orders == gateway.sent == len(gateway.delays)
    assert len(receiver.keys) == len(set(receiver.keys)) == gateway.sent
    assert received == gateway.sent * amount, "a payment is missing or booked twice"


async def caught_up(gateway: Gateway, url: str, receiver: Hook) -> None:
    """Wait until all is booked and sent, or nothing has moved for some time."""
    last, since = (0, 0), time.monotonic()
    while last != (gateway.sent, gateway.sent) and time.monotonic() - since < STILL_SECONDS:
        await asyncio.sleep(1)
        async with connected(url) as connection:
            booked = int(await connection.scalar(text("SELECT count(*) FROM ledger.event")) or 0)
        now = booked, len(set(receiver.keys))
        if now != last:
            last, since = now, time.monotonic()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="make rolling")
    parser.add_argument("--from", dest="old", required=True, help="commit of the old version")
    parser.add_argument("--rate", type=float, default=50.0, help="deliveries a second")
    wanted = parser.parse_args()
    folder = server_folder("rolling")
    try:
        old = Version.of_commit(wanted.old, folder / "old")
        asyncio.run(played(old, Version("this", ROOT), wanted.rate, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
