"""Runs the console."""

from functools import partial

from consumers.configuration import every_consumer
from consumers.console.app import ConsoleConfiguration, run_console
from router.commands.actions.configured import load_settings, sources_of
from router.commands.invocation import Invocation
from router.terminal.processes import serve


def run(invocation: Invocation, *, supervised: bool) -> None:
    """Serve the pages until SIGTERM."""
    configuration = ConsoleConfiguration(
        partial(load_settings, invocation), sources_of(invocation).file
    )
    consumers = every_consumer(invocation)
    serve(run_console(configuration, consumers, supervised=supervised))
