"""Makes the faults of a plan. Each returns when it is undone; the run then waits for recovery."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from secrets import token_urlsafe
from typing import Final

from tests.parts.broker.topic_admin import configs
from tests.parts.troubles import topics
from tests.parts.waiting import eventually
from tests.parts.whole_chaos.plan import PRIMARY, Fault
from tests.parts.whole_chaos.processes import Instance
from tests.parts.whole_chaos.site import Site
from tests.parts.whole_chaos.store import PostgresServer

_RELOADED_SECONDS: Final = 4.0
"""Edges look for changed files once a second, and wait until a file has stopped changing."""

READY_SECONDS: Final = 120.0

Breaking = Callable[[Site, Fault], Awaitable[None]]


async def process_killed(site: Site, fault: Fault) -> None:
    """Kill a process, and start it again after a while."""
    instance = site.crew.members[fault.target]
    await asyncio.to_thread(instance.kill)
    await asyncio.sleep(fault.seconds)
    instance.start()


async def process_frozen(site: Site, fault: Fault) -> None:
    """Freeze a process."""
    instance = site.crew.members[fault.target]
    instance.pause()
    await asyncio.sleep(fault.seconds)
    instance.resume()


async def broker_killed(site: Site, fault: Fault) -> None:
    """Kill a broker, and start it again after a while."""
    node = site.kafka.nodes[fault.target]
    await asyncio.to_thread(node.kill)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(node.start)


async def broker_frozen(site: Site, fault: Fault) -> None:
    """Freeze a broker."""
    node = site.kafka.nodes[fault.target]
    node.pause()
    await asyncio.sleep(fault.seconds)
    node.resume()


async def edge_killed_in_an_outage(site: Site, fault: Fault) -> None:
    """Freeze all brokers, kill an edge with what it has taken since, and end the outage."""
    instance = site.crew.members[fault.target]
    for node in site.kafka.nodes.values():
        node.pause()
    try:
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(instance.kill)
    finally:
        for node in site.kafka.nodes.values():
            node.resume()
    instance.start()


async def broker_restarted(site: Site, fault: Fault) -> None:
    """Stop a broker in order, and start it again."""
    node = site.kafka.nodes[fault.target]
    await asyncio.to_thread(node.stop)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(node.start)


def _server(site: Site, fault: Fault) -> PostgresServer:
    return site.store.primary if fault.target == PRIMARY else site.store.standby


async def database_killed(site: Site, fault: Fault) -> None:
    """Kill the primary or its standby, and start it again after a while."""
    server = _server(site, fault)
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(server.start)


async def database_frozen(site: Site, fault: Fault) -> None:
    """Freeze the primary, or its standby, for which each commit waits."""
    server = _server(site, fault)
    server.pause()
    await asyncio.sleep(fault.seconds)
    server.resume()


async def database_restarted(site: Site, fault: Fault) -> None:
    """Stop the primary in order, and start it again."""
    server = _server(site, fault)
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(server.start)


async def database_taken_over(site: Site, _: Fault) -> None:
    """Kill the primary; its standby takes over, and gets a new standby."""
    await asyncio.to_thread(site.store.take_over)
    await asyncio.to_thread(site.store.follow)


async def partitions_added(site: Site, fault: Fault) -> None:
    """Add a partition to a topic: its keys are distributed differently."""
    name = site.topic(fault.target)
    count = await asyncio.to_thread(site.kafka.partitions, name)
    await topics.grow(site.kafka.bootstrap, [name], count + 1)


async def settings_changed(site: Site, fault: Fault) -> None:
    """Change a setting of a topic, and change it back after a while."""
    name, (key, _, value) = site.topic(fault.target), fault.value.partition("=")
    before = (await configs(site.kafka.bootstrap, name))[key]
    await topics.alter(site.kafka.bootstrap, name, {key: value})
    await asyncio.sleep(fault.seconds)
    await topics.alter(site.kafka.bootstrap, name, {key: before})


async def clock_skewed(site: Site, fault: Fault) -> None:
    """Restart a process with a clock that is wrong, and later with the right one."""
    instance = site.crew.members[fault.target]
    await asyncio.to_thread(instance.kill)
    instance.start(clock=fault.value.split()[0])
    await _ready(instance)
    await asyncio.sleep(fault.seconds)
    await asyncio.to_thread(instance.stop)
    instance.start()


async def _ready(instance: Instance) -> None:
    async def look() -> bool:
        return (await asyncio.to_thread(instance.ready))[0]

    await eventually(look, f"{instance.name} ready: {instance.log}", seconds=READY_SECONDS)


async def secret_rotated(site: Site, fault: Fault) -> None:
    """Rotate a webhook secret: in the documented order, or by a gateway that does not wait."""
    name, secret = fault.target, token_urlsafe(32)
    if fault.value == "at once":
        site.gateways.sign_with(name, secret)
    site.write_secret(f"{name}-next", secret)
    await asyncio.sleep(_RELOADED_SECONDS)
    site.gateways.sign_with(name, secret)
    await site.gateways.answered(site.gateways.begun)
    site.write_secret(f"{name}-current", secret)


async def password_rotated(site: Site, _: Fault) -> None:
    """Change the password of the database's role, then the file with its URL, and cut all off."""
    await asyncio.to_thread(site.store.change_password)
    site.write_secret("database_url", site.store.url)
    await asyncio.to_thread(site.store.cut_off)


async def rolling_restart(site: Site, fault: Fault) -> None:
    """Restart each instance of a component in order, one after the other."""
    for instance in site.crew.of(fault.target):
        await asyncio.to_thread(instance.stop)
        instance.start()
        await _ready(instance)


FAULTS: Final[Mapping[str, Breaking]] = {
    "consumer killed": process_killed,
    "edge killed": process_killed,
    "broker killed": broker_killed,
    "database killed": database_killed,
    "consumer frozen": process_frozen,
    "edge frozen": process_frozen,
    "edge killed in an outage": edge_killed_in_an_outage,
    "broker frozen": broker_frozen,
    "database frozen": database_frozen,
    "broker restarted": broker_restarted,
    "database restarted": database_restarted,
    "database taken over": database_taken_over,
    "partitions added": partitions_added,
    "topic settings changed": settings_changed,
    "clock skewed": clock_skewed,
    "webhook secret rotated": secret_rotated,
    "password rotated": password_rotated,
    "rolling restart": rolling_restart,
}
"""What makes each kind of fault of a plan."""
