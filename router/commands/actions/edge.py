"""Runs the edge."""

import os
from collections.abc import Coroutine
from functools import partial
from typing import Any

from router.commands.actions.configured import load_settings, read_settings
from router.commands.invocation import Invocation
from router.edge.app import run_edge
from router.edge.reload import ConfigurationSource
from router.terminal.configuration_file import configuration_path


def serving(
    invocation: Invocation, workers: int | None, *, supervised: bool
) -> Coroutine[Any, Any, None]:
    """Return the coroutine that serves until SIGTERM; `workers` overrides the configuration."""
    place = invocation.place
    options = {} if workers is None else {"edge": {"workers": workers}}
    source = ConfigurationSource(
        partial(read_settings, invocation, consumers=(), options=options),
        lambda: configuration_path(place.config, place.data_dir, os.environ),
    )
    settings = load_settings(invocation, consumers=(), options=options)
    if settings.edge.workers == 1:
        return run_edge(settings, supervised=supervised, source=source)
    from router.edge.workers.parent import run_workers  # one process does not need it

    return run_workers(settings, supervised=supervised, source=source)
