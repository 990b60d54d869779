"""Fixtures of all tests, and a summary at the end of what the tests ran on."""

import gc
import uuid
from collections.abc import Collection, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import pytest

from tests.parts import brokers, databases, examples, tracer
from tests.parts.brokers import Broker, Choice
from tests.parts.databases import DatabaseServer
from tests.parts.environment import Wishes
from tests.parts.kafka.apache_kafka import ApacheKafka
from tests.parts.order import files_in_order, long_first, untraced
from tests.parts.tiers import chosen, fixtures, is_left_out, needs_real_kafka, tier_of, unit_rules

pytest_plugins = ["tests.parts.secrecy.plugin", "tests.parts.left_open"]

_WISHES: Final = pytest.StashKey[Wishes]()
_CHOICE: Final = pytest.StashKey[Choice]()
_DATABASE: Final = pytest.StashKey[str]()
_WORKERS: Final = pytest.StashKey[dict[str, str]]()
_UNTRACED: Final = pytest.StashKey[Collection[str]]()

_BROKER_FIXTURES: Final = {"broker", "own_kafka"}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the wishes out of the environment before any test module is imported."""
    config.stash[_WISHES] = Wishes.take()
    examples.load(ci=config.stash[_WISHES].ci)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--tiers`, which is faster than `-m`: files of other tiers are not even imported."""
    parser.addoption("--tiers", default="", help="tiers to run, e.g. unit,integration; else all")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the folders and files of tiers that are not wanted."""
    return True if is_left_out(collection_path, config.getoption("tiers")) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests without garbage collection, which would search thousands of them often.

    During this, `--cov` measures only imports of the project.
    """
    gc.disable()
    try:
        with tracer.only_imports_traced() if tracer.is_tracing() else nullcontext():
            return (yield)
    finally:
        gc.enable()
        gc.collect()
        # The tests live until the end of the run: later collections skip them.
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's
    """Give the workers files, as `--dist loadfile` does, and some files test by test."""
    return files_in_order(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True, specname="pytest_collection_modifyitems")
def pytest_mark_tiers(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its tier, before `-m` chooses among them."""
    wanted, left_out = chosen(items, config.getoption("tiers"))
    items[:] = wanted
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    for item in items:
        item.add_marker(getattr(pytest.mark, tier_of(item)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests, choose their broker, and leave out what only a real one can answer."""
    items[:] = long_first(items)
    config.stash[_UNTRACED] = {item.nodeid for item in untraced(items)}
    if not any(_needs_broker(item) for item in items):
        return
    try:
        choice = brokers.choose(config.stash[_WISHES])
    except brokers.NoRealKafkaError as reason:
        raise pytest.UsageError(str(reason)) from reason
    config.stash[_CHOICE] = choice
    if not choice.real:
        left_out = pytest.mark.skip(reason=f"needs a real Kafka, runs on {choice.description}")
        for item in items:
            if needs_real_kafka(item):
                item.add_marker(left_out)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run some tests and their fixtures without the tracer of `--cov`."""
    if not tracer.is_tracing() or item.nodeid not in item.config.stash[_UNTRACED]:
        return (yield)
    with tracer.paused():
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Fail a unit test that asks for a broker or a database, or whose fixtures start a process."""
    with unit_rules(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a unit test that starts a process."""
    with unit_rules(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> Generator[None]:
    """Print in the last lines what the tests ran on and which tests were skipped."""
    yield
    if exitstatus == pytest.ExitCode.USAGE_ERROR or config.option.collectonly:
        return
    reported: dict[str, str] = config.stash.get(_WORKERS, {})
    used = {**_servers_used(config), **reported}
    terminalreporter.section("servers of this run")
    for part in ("broker", "database"):
        terminalreporter.line(f"{part}: {used.get(part, 'none was needed')}")
    skipped = sorted({report.nodeid for report in terminalreporter.stats.get("skipped", [])})
    terminalreporter.line(f"left out: {len(skipped)}")
    for name in skipped:
        terminalreporter.line(f"  {name}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the names of the servers used to the process that prints the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["servers"] = _servers_used(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist's
    """Collect the names of the servers that a worker used."""
    reported = node.config.stash.setdefault(_WORKERS, {})
    reported.update(getattr(node, "workeroutput", {}).get("servers", {}))


def _servers_used(config: pytest.Config) -> dict[str, str]:
    choice = config.stash.get(_CHOICE, None)
    known = {"broker": choice and choice.description, "database": config.stash.get(_DATABASE, None)}
    return {part: name for part, name in known.items() if name}


def _needs_broker(item: pytest.Item) -> bool:
    return needs_real_kafka(item) or not _BROKER_FIXTURES.isdisjoint(fixtures(item))


@pytest.fixture(scope="session")
def chaos_long(pytestconfig: pytest.Config) -> bool:
    """Whether the fault tests run in their long form."""
    return pytestconfig.stash[_WISHES].chaos_long


@pytest.fixture(scope="session")
def wishes_ci(pytestconfig: pytest.Config) -> bool:
    """Whether no test may be skipped."""
    return pytestconfig.stash[_WISHES].ci


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """Give the Kafka all tests of this run share; keep topics apart with `topics_prefix`."""
    with brokers.started(pytestconfig.stash[_CHOICE]) as running:
        yield running


@pytest.fixture
def own_kafka() -> Iterator[ApacheKafka]:
    """Give a running Apache Kafka of the test's own, to be stopped, killed or frozen."""
    with brokers.own_apache_kafka() as kafka:
        yield kafka


@pytest.fixture
def topics_prefix() -> str:
    """Give a prefix that no other test's topics and groups have."""
    return f"t{uuid.uuid4().hex[:6]}."


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> Iterator[DatabaseServer]:
    """Give the PostgreSQL all tests of this run share."""
    with databases.server_of(pytestconfig.stash[_WISHES].database_url) as server:
        pytestconfig.stash[_DATABASE] = server.description
        yield server


@pytest.fixture
def database_url(database_server: DatabaseServer) -> Iterator[str]:
    """Give the SQLAlchemy URL of an empty database of the test's own."""
    with databases.fresh_database(database_server) as url:
        yield url
