"""`make platform`: a whole deployment from the settings that the chart renders.

Three brokers, PostgreSQL behind PgBouncer, a proxy, two edges, three consumers twice, exporter and
Prometheus. Prints what holds, then takes each right away; fails if one is not named, if a process
does not recover, or if books, stock and messages are not exact.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from consumers.rights.needed import CONSOLE, process_rights
from router.broker.rights import Right
from router.configuration.settings import load_settings
from router.evaluation.data_dir import DataDir
from router.providers import examples
from tests.parts import pooler
from tests.parts.folders import server_folder
from tests.parts.monitoring import prometheus
from tests.parts.notifications.receivers import Hook, hook
from tests.parts.platform import proxy
from tests.parts.platform.brokers import Brokers, brokers
from tests.parts.platform.checking import (
    check_both_edges,
    check_doctor,
    check_exact,
    check_forwarded,
    check_monitored,
)
from tests.parts.platform.fleet import JOBS, RUN, Fleet, fleet
from tests.parts.platform.pods import Pod, Secrets, Site, beside, pods
from tests.parts.platform.report import say, say_head, say_sum, say_taken, store
from tests.parts.platform.shop import Shop, fill, opened
from tests.parts.platform.stores import Stores, stores
from tests.parts.platform.taking import Taken, take_lists, take_table_rights
from tests.parts.platform.watching import watching

USER: Final = "payrouter-{}"
OPERATOR: Final = "operator"
SALES: Final = 5
"""Orders of each gateway, before anything is taken away."""


@dataclass(frozen=True)
class Deployment:
    """Everything that runs."""

    kafka: Brokers
    stores: Stores
    system: Fleet
    operator: Pod
    shop: Shop
    receiver: Hook

    def rights(self) -> Mapping[str, Sequence[Right]]:
        """Return the rights of every user on Kafka, by the table of the code."""
        settings = load_settings(None, self.operator.main.environ)
        every = process_rights(settings, lambda process: f"User:{USER.format(process)}")
        # The chart runs no console unless its values turn it on.
        return {name: own for name, own in every.items() if name != CONSOLE}

    def trade(self) -> None:
        """Need as many rights as usual traffic does."""
        for gateway in ("blockatm", "resmic"):
            self.shop.sell(gateway)
        self.shop.pay_out("blockatm")


@contextmanager
def deployed(folder: Path, receiver: Hook) -> Iterator[Deployment]:
    """Install everything in the order of the chart's README, and run it while the block does."""
    users = [USER.format(name) for name in (*RUN, "topics", OPERATOR)]
    passwords = {user: f"hidden-{token_hex(16)}" for user in users}
    with ExitStack() as stack:
        kafka = stack.enter_context(brokers(folder, passwords))
        data = stack.enter_context(stores(folder / "stores"))
        gateways = DataDir(folder / "gateways")
        secrets = created(kafka, data, gateways, receiver, passwords)
        every = list(pods(Site(folder, secrets, kafka.bootstrap)))
        exporter = next(pod for pod in every if pod.component == "exporter")
        name = USER.format(OPERATOR)
        operator = beside(exporter, folder / name, name, passwords[name])
        system = stack.enter_context(fleet([*every, operator]))
        edges = [(p.ports["webhooks"], p.ports["management"]) for p in system.of("edge")]
        url = stack.enter_context(proxy.proxy(folder, edges))
        shop = opened_before(system, url, gateways, kafka)
        made = Deployment(kafka, data, system, operator, shop, receiver)
        installed(made)
        yield made


def created(
    kafka: Brokers,
    data: Stores,
    gateways: DataDir,
    receiver: Hook,
    passwords: Mapping[str, str],
) -> Secrets:
    """Return the Secrets that the values name."""
    endpoints = gateways.generate(examples()).read_text().partition("[consumers.")[0]
    return {
        **{user: {"password": password} for user, password in passwords.items()},
        **{f"database-{name}": {"url": url} for name, url in data.urls.items()},
        "kafka-ca": {"ca.crt": kafka.authority},
        "payrouter-endpoints": {"payrouter.toml": endpoints},
        "notifications-hook": {"url": receiver.url},
    }


def opened_before(system: Fleet, url: str, gateways: DataDir, kafka: Brokers) -> Shop:
    """Return the shop, which knows the edges' endpoints."""
    environ = system.of("edge")[0].main.environ
    configuration = Path(environ["PAYROUTER_CONFIG"])
    return opened(url, configuration, gateways, environ, kafka.open_bootstrap)


def installed(made: Deployment) -> None:
    """Grant the rights, run the jobs, start the processes."""
    made.kafka.lists.grant(right for own in made.rights().values() for right in own)
    for job in JOBS:
        made.system.run_job(job)
    fill(made.stores.roles.url_of("inventory"), made.shop.topics)
    for component in RUN:
        made.system.start(component)
    made.system.await_ready()


def run(folder: Path, receiver: Hook, *, only_whole: bool) -> None:
    """Deploy, check, take everything away, and check again."""
    began = time.monotonic()
    with deployed(folder, receiver) as made:
        say(f"{'deployed':<12} after {time.monotonic() - began:.0f} s")
        with watching(folder / "prometheus", made.system) as watched:
            for _ in range(SALES):
                for gateway in made.shop.gateways:
                    made.shop.sell(gateway)
            made.shop.pay_out("blockatm")
            say(f"{'exact':<12} {check_exact(made.shop, made.stores, receiver)}")
            say(f"{'edges':<12} {check_both_edges(made.system)}")
            say(f"{'doctor':<12} {check_doctor(made.system, made.operator)}")
            say(f"{'monitoring':<12} {check_monitored(watched, len(made.system.running))}")
        say(f"{'proxy':<12} {check_forwarded(made.system, made.shop)}")
        if not only_whole:
            taken_away(made)
            say(f"{'exact':<12} {check_exact(made.shop, made.stores, receiver)}")
            say(f"{'doctor':<12} {check_doctor(made.system, made.operator)}")
    say(f"{'all':<12} {time.monotonic() - began:.0f} s")


def taken_away(made: Deployment) -> None:
    """Take every right away, print the table and fail if doctor did not name one."""
    taken: dict[str, list[Taken]] = {"rights on Kafka": [], "rights on the database": []}
    say_head()
    for each in take_lists(made.system, made.kafka, made.rights(), made.trade):
        say_taken(each)
        taken["rights on Kafka"].append(each)
    for each in take_table_rights(made.system, made.stores, made.trade):
        say_taken(each)
        taken["rights on the database"].append(each)
    for kind, own in taken.items():
        say_sum(kind, own)
    every = [each for own in taken.values() for each in own]
    store(every)
    unnamed = [f"{each.of}: {each.what}" for each in every if each.doctor is False]
    assert unnamed == [], unnamed


async def main(*, only_whole: bool) -> None:
    """Run it along with a receiver of messages."""
    folder = server_folder("platform")
    folder.chmod(0o755)
    try:
        async with hook() as receiver:
            await asyncio.to_thread(run, folder, receiver, only_whole=only_whole)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make platform")
    parser.add_argument("--whole", action="store_true", help="take no right away")
    wanted = parser.parse_args()
    reasons = [why for why in (pooler.missing(), proxy.missing(), prometheus.missing()) if why]
    sys.exit("\n".join(reasons)) if reasons else asyncio.run(main(only_whole=wanted.whole))
