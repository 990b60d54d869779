"""Runs one consumer."""

from consumers.configuration import consumer_settings, service_named
from consumers.runtime.member.app import run_consumer
from consumers.runtime.store.schema_version import SchemaOutdated
from router.commands.invocation import Invocation
from router.terminal.exits import CommandError
from router.terminal.processes import keep_loaded, serve


def run_one(invocation: Invocation, name: str, *, supervised: bool) -> None:
    """Run a consumer until SIGTERM; exits with status 1 if its tables are outdated."""
    service = service_named(name)
    settings = consumer_settings(invocation, service)
    keep_loaded()
    try:
        serve(run_consumer(service, settings, supervised=supervised))
    except SchemaOutdated as problem:
        raise CommandError(str(problem)) from None
