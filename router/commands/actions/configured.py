"""The configuration of an invocation: read, and checked with the consumers' part."""

import os
from collections.abc import Collection, Mapping

from router.commands.actions.checked import checked_settings
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.configuration.sources import Sources
from router.errors import ConfigurationError
from router.evaluation.data_dir import DataDir, resolve_sources
from router.telemetry import logs
from router.terminal.completion import provider_names

Options = Mapping[str, Mapping[str, object]]
"""Values of the command line by table and key; they override file and environment."""


def load_settings(
    invocation: Invocation,
    consumers: Collection[str] | None = None,
    options: Options | None = None,
) -> Settings:
    """Return the checked configuration, and configure the log by it.

    `consumers` are those whose options are checked, None for all.
    """
    settings = read_settings(invocation, consumers, options)
    logs.configure_logging(settings.log.level, settings.log.format)
    return settings


def read_settings(
    invocation: Invocation,
    consumers: Collection[str] | None = None,
    options: Options | None = None,
) -> Settings:
    """Return the configuration in force, checked with the part of these consumers, None for all."""
    sources = sources_of(invocation)
    for table, values in (options or {}).items():
        sources.values[table] = {**sources.values.get(table, {}), **values}
    return checked_settings(sources, invocation.consumers.check, consumers=consumers)


def sources_of(invocation: Invocation) -> Sources:
    """Return the sources of the configuration in force."""
    place = invocation.place
    return resolve_sources(place.config, DataDir(place.data_dir), os.environ)


def endpoint_name(settings: Settings, provider: str, endpoint: str | None) -> str:
    """Return the endpoint given, or the first one of the provider."""
    if provider not in provider_names():
        message = f"there is no provider {provider}; there are {', '.join(provider_names())}"
        raise ConfigurationError(message)
    named = settings.endpoints
    if endpoint is not None:
        if endpoint not in named or named[endpoint].provider != provider:
            message = f"--endpoint: there is no endpoint {endpoint} of {provider}"
            raise ConfigurationError(message)
        return endpoint
    found = [name for name, own in named.items() if own.provider == provider]
    if not found:
        message = f"there is no endpoint of {provider}; is `payrouter dev` running here?"
        raise ConfigurationError(message)
    return found[0]
