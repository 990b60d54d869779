"""Every consumer under every fault of a log or a store: no event is lost without a report.

All installed consumers and the sample run together as in production; a fault of a topic affects all
its readers. Under each fault, each consumer applies every event once, or is not ready, halts with a
reason, and continues after the command that it names. None is ready while an event is missing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.conformance.programs import Programs
from tests.conformance.test_every_consumer import SERVICES
from tests.parts import databases
from tests.parts.databases import DatabaseServer
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.troubles import topics
from tests.parts.troubles.postgres import read_only
from tests.parts.troubles.site import PARTITIONS, Member, Site, site
from tests.parts.troubles.story import WHOLE, Story
from tests.parts.troubles.tales import TOPICS
from tests.parts.troubles.writing import CODECS, open_transaction
from tests.parts.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

TROUBLED: Final = ("payment", "order")
"""Topics of which each consumer reads at least one."""

UNREADABLE: Final = 25
"""Enough consecutive failures to trigger the brake."""

READ_ONLY_SECONDS: Final = 2.0

ANOTHER_LOG: Final = ("other_log", "other_record", "beyond_end")
"""Reasons to halt on another log: by the topic's id, by its records, by its end."""


@pytest.fixture(scope="module")
def quick_kafka() -> Iterator[ApacheKafka]:
    """Run a separate Kafka for this file, which compacts at once."""
    kafka = ApacheKafka(topics.QUICK_CLEANER)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.destroy()


@pytest.fixture(scope="module")
def own_database(database_server: DatabaseServer) -> Iterator[str]:
    """Yield the URL of a separate database for this file."""
    with databases.fresh_database(database_server) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_site(
    quick_kafka: ApacheKafka,
    own_database: str,
    packages: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Site]:
    """Run every consumer that reads a topic of the contract."""
    programs = Programs(tmp_path_factory.mktemp("site"), packages)
    told = [each for each in SERVICES.values() if set(TOPICS).intersection(each.topics)]
    async with site(quick_kafka.bootstrap, own_database, told, programs) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def story(running_site: Site) -> Story:
    """Yield a story without events yet, on a site without problems."""
    await _mended(running_site)
    return Story(running_site)


async def _mended(here: Site) -> None:
    """Fix the remains of an earlier test, like an operator."""

    async def well() -> bool:
        for each in here.members.values():
            if not (await each.ready())[0]:
                await here.run_fixes(each)
                return False
        return True

    await eventually(well, "all consumers well")


def everywhere(here: Site, said: str) -> Mapping[str, str]:
    return dict.fromkeys(here.members, said)


async def recovers_by_its_commands(story: Story) -> None:
    """Run the commands that every member names; assert that all events are applied afterwards."""
    for each in story.site.members.values():
        commands = await story.site.run_fixes(each)
        assert commands, f"{each.name} names no command: {await each.ready()}"
    await story.site.all_ready()
    assert await story.seen() == everywhere(story.site, WHOLE)


def halted(seen: Mapping[str, str], *reasons: str) -> bool:
    """Return whether every member is halted, for these reasons only."""
    given = {each for said in seen.values() for each in said.removeprefix("halted: ").split(", ")}
    return all(said.startswith("halted: ") for said in seen.values()) and given <= set(reasons)


async def contents(here: Site) -> Mapping[str, Mapping[str, str]]:
    return {name: await each.bench.content() for name, each in here.members.items()}


async def test_every_codec_is_read(story: Story) -> None:
    for codec in CODECS:
        for topic in TOPICS:
            await story.tell(topic, 3, codec=codec)
    assert await story.seen() == everywhere(story.site, WHOLE)


async def test_framed_records_are_read(story: Story) -> None:
    for topic in TOPICS:
        await story.tell_framed(topic, 3)
    assert await story.seen() == everywhere(story.site, WHOLE)


async def test_temporarily_read_only_store_loses_nothing(story: Story) -> None:
    members = story.site.members.values()
    async with read_only(story.site.database_url):
        for topic in TOPICS:
            await story.tell(topic, 2 * PARTITIONS)
        for each in members:
            await says(each, "25006")
        await asyncio.sleep(READ_ONLY_SECONDS)
        assert [await each.halts() for each in members] == [[]] * len(members)
    assert await story.seen() == everywhere(story.site, WHOLE)


async def says(member: Member, text: str) -> None:
    """Wait until a member is not ready and reports a certain text."""

    async def said() -> bool:
        good, found = await member.ready()
        return not good and text in found

    await eventually(said, f"{text} from {member.name}")


async def test_open_transaction_of_another_producer_is_reported_and_passed(story: Story) -> None:
    here = story.site
    foreign = {topic: story.made(topic, 2) for topic in TROUBLED}
    async with open_transaction(here.bootstrap, "foreign", [*chain(*foreign.values())], 1):
        for topic in TROUBLED:
            await story.tell(topic, 5, partition=1)
            await story.tell(topic, 5, partition=0)
        assert await story.seen() == everywhere(here, "withheld")
    await here.all_ready()
    assert await story.seen() == everywhere(here, WHOLE)
    never = {each.id for told in foreign.values() for each in told}
    for each in here.members.values():
        assert not never & await each.claimed()
        assert await each.halts() == []


async def test_records_deleted_before_they_were_read_are_reported(story: Story) -> None:
    here = story.site
    async with here.frozen():
        for topic in TROUBLED:
            told = await story.tell(topic, 10, partition=0)
            end = await topics.end(here.bootstrap, topic, 0)
            await topics.cut_off(here.bootstrap, topic, 0, end - 4)
            story.gone(topic, told[:6])
    assert halted(await story.seen(), "before_start", "records_missing")
    story.accept()
    await recovers_by_its_commands(story)


async def test_compacted_records_are_reported(story: Story) -> None:
    here = story.site
    async with here.frozen():
        for topic in TROUBLED:
            first = await topics.end(here.bootstrap, topic, 0)
            told = story.made(topic, 12)
            story.missed(told)
            await topics.compact(here.bootstrap, told, 0)
            left = await topics.kept(here.bootstrap, topic, 0, first)
            story.gone(topic, [each for at, each in enumerate(told, first) if at not in left])
    assert halted(await story.seen(), "records_missing")
    story.accept()
    await recovers_by_its_commands(story)


async def test_topic_recreated_while_the_consumer_was_frozen_is_reported(story: Story) -> None:
    here = story.site
    async with here.frozen():
        await recreated_and_refilled(story)
    assert halted(await story.seen(), *ANOTHER_LOG)
    await recovers_by_its_commands(story)


async def test_topic_recreated_while_the_consumer_was_stopped_is_reported(story: Story) -> None:
    here = story.site
    await asyncio.gather(*(each.end() for each in here.members.values()))
    await recreated_and_refilled(story)
    for each in here.members.values():
        await each.start()
    assert halted(await story.seen(), *ANOTHER_LOG)
    await recovers_by_its_commands(story)


async def recreated_and_refilled(story: Story) -> None:
    """Recreate topics, and write more records to each partition than any had before."""
    here = story.site
    for topic in TROUBLED:
        ends = await topics.ends(here.bootstrap, topic, range(PARTITIONS))
        await topics.recreate(here.bootstrap, [topic], PARTITIONS)
        for number in range(PARTITIONS):
            await story.tell(topic, max(ends.values()) + 10, partition=number)


@pytest.mark.parametrize("topic", TROUBLED)
async def test_brake_stops_only_its_topic(story: Story, topic: str) -> None:
    readers = story.site.readers(topic)
    dead = {each.name: await each.dead() for each in readers}
    await story.tell_avro(topic, UNREADABLE)
    for each in readers:
        await says(each, "brake")
    for other in TOPICS:
        if other != topic:
            await story.tell(other, 2 * PARTITIONS)
    for each in story.site.members.values():
        await story.applied(each)
    await story.tell(topic, PARTITIONS)
    for each in readers:
        assert await story.site.run_fixes(each), (
            f"{each.name} names no command: {await each.ready()}"
        )
    assert await story.seen() == everywhere(story.site, WHOLE)
    assert {each.name: await each.dead() for each in readers} == {
        name: count + UNREADABLE for name, count in dead.items()
    }


async def test_records_read_again_have_no_second_effect(story: Story) -> None:
    here = story.site
    for topic in TOPICS:
        await story.tell(topic, 5)
    assert await story.seen() == everywhere(here, WHOLE)
    before = await contents(here)
    for each in here.members.values():
        for topic in each.topics:
            reset = f"payrouter offsets reset {each.name} --topic {topic} --to earliest --yes"
            await here.shell.run(reset)
        await eventually(partial(_read_again, here, each), f"the end of {each.name}")
    assert await contents(here) == before


async def _read_again(here: Site, each: Member) -> bool:
    """Return whether a member is at the end; clear brakes that hold again at the same records."""
    if not (await each.ready())[0]:
        await here.run_fixes(each)
    return await here.at_the_end(each, await here.ends(each))
