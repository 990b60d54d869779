"""Prometheus over every process of a deployment, with the rules that are shipped."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from tests.parts.monitoring.hurried import hurried_configuration
from tests.parts.monitoring.live import CONFIGURATION
from tests.parts.monitoring.prometheus import Prometheus, prometheus
from tests.parts.monitoring.questions import rule_files
from tests.parts.monitoring.system import CONSUMERS
from tests.parts.platform.fleet import Fleet
from tests.parts.ports import free_port

JOBS: Final = {
    "payrouter-edge": ("edge",),
    "payrouter-consumer": CONSUMERS,
    "payrouter-exporter": ("exporter",),
}
_FASTER: Final = 5.0
"""It scrapes and evaluates so much more often than shipped; rules and their times are unchanged."""


@contextlib.contextmanager
def watching(folder: Path, system: Fleet) -> Iterator[Prometheus]:
    """Run it while the block does."""
    folder.mkdir()
    targets = {
        job: [f"127.0.0.1:{pod.ports['management']}" for pod in system.of(*components)]
        for job, components in JOBS.items()
    }
    shipped = yaml.safe_load(CONFIGURATION.read_text())
    rules = [str(path) for path in rule_files()]
    written = hurried_configuration(shipped, _FASTER, "2s", targets, rules)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(written))
    with prometheus(folder, free_port(), "1m") as running:
        yield running
