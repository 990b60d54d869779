"""Chooses where figures come from."""

from collections.abc import Callable
from datetime import datetime

from consumers.console.figures.figures import FigureSource, NoFigures
from consumers.console.figures.prometheus import PrometheusFigures
from consumers.console.figures.sampling import EdgeSampler
from router.configuration.process_settings import ConsoleSettings


def figure_source(settings: ConsoleSettings, clock: Callable[[], datetime]) -> FigureSource:
    """Return Prometheus if it is configured, or else the edges themselves."""
    if settings.prometheus_url is not None:
        return PrometheusFigures(settings.prometheus_url, clock)
    return EdgeSampler(settings.edges, clock) if settings.edges else NoFigures()
