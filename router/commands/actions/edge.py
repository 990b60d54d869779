"""Runs the edge."""

import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from router.commands.actions.checked import problems_located
from router.commands.actions.configured import load_settings, read_settings, sources_of
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
        run = partial(run_edge, settings, supervised=supervised, source=source)
        return _located(invocation, run)
    from router.edge.workers.parent import run_workers  # one process does not need it

    run = partial(run_workers, settings, supervised=supervised, source=source)
    return _located(invocation, run)


async def _located(invocation: Invocation, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the edge; the problems that only it finds are reported with their places too."""
    with problems_located(sources_of(invocation)):
        await run()
