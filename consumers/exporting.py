"""Runs the exporter of the consumers' progress."""

from consumers.configuration import every_consumer
from consumers.runtime.exporter.app import Exporting, run_exporter
from consumers.tables import require_known
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.problems import Problems
from router.terminal.processes import serve


def run_exporting(invocation: Invocation, *, supervised: bool) -> None:
    """Run the exporter until SIGTERM, for the consumers of `[exporter]` or for all."""
    own = load_settings(invocation).exporter
    exporting = Exporting(own.management_host, own.management_port, own.every_seconds)
    known = {each.service.name: each for each in every_consumer(invocation)}
    problems = Problems()
    for name in own.consumers:
        with problems.gathered():
            require_known(name, "exporter.consumers")
    problems.refuse()
    watched = [known[name] for name in own.consumers or known]
    serve(run_exporter(watched, exporting, supervised=supervised))
