"""A spool on a real disk: start, lock, bounds, health, leftovers, what commands show."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from router.contract.wire import OutgoingRecord
from router.edge.spool.leftovers import slot_folder
from router.edge.spool.metrics import SpoolMetrics
from router.edge.spool.reading import read_spools
from router.edge.spool.service import SpoolBroker, SpoolPlan, SpoolService
from router.edge.spool.spool import SpoolBounds
from router.edge.spool.storage.codec import SpoolEntry, encode_entry
from router.edge.spool.storage.disk import RealDisk
from router.edge.spool.storage.files import SpoolFiles
from router.errors import ConfigurationError, NotDurable
from router.telemetry.logs import get_log
from router.telemetry.management import Health
from tests.parts.edge.spool.simulated_broker import SimulatedBroker
from tests.parts.edge.spool.troubled import write_troubled_spool
from tests.parts.waiting import eventually

AWAY = Health(good=False, detail="cannot reach the broker")


def _record(value: bytes, key: bytes = b"key") -> OutgoingRecord:
    return OutgoingRecord("payment", key, value, [])


def _service(
    root: Path,
    broker: SimulatedBroker,
    cluster: str | None = "one",
    slot: int = 1,
    drain_seconds: float = 5,
) -> SpoolService:
    async def known() -> str | None:
        return cluster

    plan = SpoolPlan(root, slot, SpoolBounds(10**6, 1000), 0.5, drain_seconds)
    metrics = SpoolMetrics(CollectorRegistry())
    return SpoolService(plan, SpoolBroker(broker, broker.give_up, known), metrics, get_log("spool"))


@contextlib.asynccontextmanager
async def _running(service: SpoolService) -> AsyncIterator[None]:
    with capture_logs(), service.opened():
        async with service.running(), service.publishing():
            yield


async def _answers(service: SpoolService, *values: bytes) -> list[NotDurable | None]:
    answers: list[NotDurable | None] = []
    for value in values:
        service.submit([_record(value)], answers.append, None)
    await eventually(lambda: len(answers) == len(values), pause=0.005)
    return answers


def _left_behind(root: Path, slot: int, *values: bytes) -> None:
    files = SpoolFiles(RealDisk(), slot_folder(root, slot), partial(os.urandom, 16))
    files.recover()
    files.commit([encode_entry(SpoolEntry(1.0, (_record(value),))) for value in values])
    files.close()


async def _written(broker: SimulatedBroker, *values: bytes) -> None:
    """Let the broker acknowledge until it has written these values."""

    def done() -> bool:
        for key in list(broker.lanes):
            broker.hold(key)
            broker.acknowledge(key)
        return set(values) <= set(broker.log)

    await eventually(done, f"{values} in {broker.log}", pause=0.005)


async def test_unacknowledged_deliveries_are_stored_and_published_later(tmp_path: Path) -> None:
    broker = SimulatedBroker(unavailable=True)
    service = _service(tmp_path, broker)
    async with _running(service):
        assert await _answers(service, b"1", b"2", b"3") == [None, None, None]
        assert service.health(AWAY).good
        broker.unavailable = False
        await _written(broker, b"1", b"2", b"3")

    assert broker.log == [b"1", b"2", b"3"]
    assert [each.records for each in read_spools(RealDisk(), tmp_path)] == [0]


async def test_a_second_process_on_the_same_folder_does_not_start(tmp_path: Path) -> None:
    async with _running(_service(tmp_path, SimulatedBroker())):
        second = _service(tmp_path, SimulatedBroker())
        with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
            async with _running(second):
                pass


async def test_a_path_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    service = _service(tmp_path / "file", SimulatedBroker())

    with pytest.raises(ConfigurationError, match=r"spool\.path: cannot use "):
        async with _running(service):
            pass


async def test_leftovers_of_another_process_are_published_and_released(tmp_path: Path) -> None:
    _left_behind(tmp_path, 2, b"old")
    broker = SimulatedBroker()
    async with _running(_service(tmp_path, broker)):
        await _written(broker, b"old")

    assert [each.process for each in read_spools(RealDisk(), tmp_path)] == [None, None]
    assert sum(each.records for each in read_spools(RealDisk(), tmp_path)) == 0


async def test_leftovers_that_a_process_uses_are_left_alone(tmp_path: Path) -> None:
    _left_behind(tmp_path, 2, b"theirs")
    broker, theirs = SimulatedBroker(), SimulatedBroker(unavailable=True)
    async with _running(_service(tmp_path, theirs, slot=2)):
        service = _service(tmp_path, broker)
        async with _running(service):
            await asyncio.sleep(0)
            assert [each.process for each in read_spools(RealDisk(), tmp_path)] != [None, None]
            assert len(service.spool.book) == 0
        theirs.unavailable = False
        await _written(theirs, b"theirs")

    assert broker.log == []


async def test_records_for_another_cluster_are_not_published(tmp_path: Path) -> None:
    broker = SimulatedBroker(unavailable=True)
    first = _service(tmp_path, broker, drain_seconds=0)
    async with _running(first):
        await _answers(first, b"1")
    other = SimulatedBroker()
    service = _service(tmp_path, other, cluster="two")
    async with _running(service):
        await eventually(lambda: service.spool.foreign == "one", pause=0.005)
        problem = service.spool.problem()

    assert problem == "the spool's records are for cluster one"
    assert other.log == []
    assert [each.records for each in read_spools(RealDisk(), tmp_path)] == [1]


async def test_a_full_spool_answers_503_and_then_takes_deliveries_again(tmp_path: Path) -> None:
    broker = SimulatedBroker(unavailable=True)
    service = _service(tmp_path, broker)
    large = b"x" * 600_000
    async with _running(service):
        taken = await _answers(service, large + b"1")
        taken += await _answers(service, large + b"2")
        with pytest.raises(NotDurable, match="the spool is full"):
            service.submit([_record(b"3")], lambda _problem: None, None)
        assert not service.health(AWAY).good
        broker.unavailable = False
        await _written(broker, large + b"2")
        await eventually(lambda: service.spool.problem() is None, pause=0.005)

    assert taken == [None, None]


async def test_commands_see_all_that_is_wrong(tmp_path: Path) -> None:
    settings = write_troubled_spool(tmp_path)

    (content,) = read_spools(RealDisk(), Path(settings["PAYROUTER_SPOOL__PATH"]))

    assert (content.records, len(content.asides)) == (1, 1)
    assert [each.why for each in content.problems] == ["it is not a file of the spool"]


def _modes(root: Path) -> Sequence[int]:
    return sorted({each.stat().st_mode & 0o777 for each in root.rglob("*")})


async def test_only_the_user_of_the_edge_may_read_the_files(tmp_path: Path) -> None:
    service = _service(tmp_path / "spool", SimulatedBroker(unavailable=True), drain_seconds=0)
    async with _running(service):
        await _answers(service, b"1")

    assert _modes(tmp_path / "spool") == [0o600, 0o700]
