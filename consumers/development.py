"""Sets up the consumers' tables, alone or as a part of `payrouter dev`."""

from consumers import discovery
from consumers.configuration import consumer_settings, every_consumer
from consumers.runtime.configured import Consumer
from consumers.runtime.service import Play, Service
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, unavailability_explained
from consumers.runtime.store.engines import open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from router.commands.actions.dev import DevOptions, developing
from router.commands.invocation import Invocation
from router.evaluation.placed import ARTICLES
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async, serve


def develop(invocation: Invocation, options: DevOptions) -> None:
    """Run the whole system until Ctrl-C."""
    services = discovery.discover()

    async def prepare() -> None:
        for service in services.values():
            settings = consumer_settings(invocation, service)
            await _upgraded(settings, service)
            if options.rate:
                await _make_ready(settings, service)

    serve(developing(invocation, options, sorted(services), prepare))


def upgrade_and_show(invocation: Invocation, *, as_json: bool) -> None:
    """Upgrade the tables of every consumer and print the revisions that were applied."""
    from consumers.roles.acting import grant_after_upgrade, upgrading  # noqa: PLC0415 - not for dev

    async def upgraded(consumer: Consumer) -> list[str]:
        revisions = await _upgraded(upgrading(consumer.settings), consumer.service)
        await grant_after_upgrade(consumer)
        return revisions

    applied = {
        consumer.service.name: run_async(upgraded(consumer))
        for consumer in every_consumer(invocation)
    }
    if as_json:
        show_json(applied)
        return
    rows = [
        (name, ", ".join(revisions) or "nothing, it is up to date")
        for name, revisions in applied.items()
    ]
    show_table("", ("consumer", "applied"), rows)


async def _upgraded(settings: ConsumerSettings, service: Service) -> list[str]:
    engine = open_upgrade_engine(settings)
    try:
        with unavailability_explained(settings):
            return list(await upgrade(engine, service))
    finally:
        await engine.dispose()


async def _make_ready(settings: ConsumerSettings, service: Service) -> None:
    before_play = service.actions(settings.setup).before_play
    if before_play is not None:
        async with acting(settings) as engine:
            await before_play(engine, Play(settings.accounts, ARTICLES))
