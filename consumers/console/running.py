"""Runs the console."""

from consumers.configuration import every_consumer
from consumers.console.app import run_console
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.terminal.processes import serve


def run(invocation: Invocation, *, supervised: bool) -> None:
    """Serve the pages until SIGTERM."""
    settings = load_settings(invocation)
    serve(run_console(settings, every_consumer(invocation), supervised=supervised))
