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


def serving(invocation: Invocation, *, supervised: bool) -> Coroutine[Any, Any, None]:
    """Return the coroutine that serves until SIGTERM."""
    place = invocation.place
    source = ConfigurationSource(
        partial(read_settings, invocation, consumers=()),
        lambda: configuration_path(place.config, place.data_dir, os.environ),
    )
    settings = load_settings(invocation, consumers=())
    return run_edge(settings, supervised=supervised, source=source)
