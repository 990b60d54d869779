"""The whole system, running before a real Prometheus with the rules that are shipped, sped up."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.parts.brokers import own_apache_kafka
from tests.parts.deploy.system import ROOT
from tests.parts.monitoring import faults
from tests.parts.monitoring.gateways import Gateways, gateways
from tests.parts.monitoring.hurried import hurried_configuration, hurried_rules
from tests.parts.monitoring.prometheus import Prometheus, prometheus
from tests.parts.monitoring.questions import read_rules, rule_files
from tests.parts.monitoring.system import JOBS, System, system
from tests.parts.monitoring.yesterday import remember
from tests.parts.ports import free_port

FACTOR: Final = 60.0
"""A minute of the rules is a second of the run."""

STEP_SECONDS: Final = 1.0
STEP: Final = "1s"
"""Between two scrapes and two evaluations: what the processes can bear on two cores."""

LOOKBACK: Final = "5s"

RATE: Final = 8.0
_NO_ORDER: Final = "resmic"
"""A gateway that names no order: its payments would wait for one from the first on."""

_UNUSUAL: Final = {faults.QUIET, faults.SILENT, faults.SKEWED, _NO_ORDER}
CONFIGURATION: Final = ROOT / "deploy" / "prometheus" / "prometheus.yml"


@dataclass(frozen=True)
class Live:
    """What runs."""

    folder: Path
    system: System
    gateways: Gateways
    prometheus: Prometheus


@contextlib.contextmanager
def live(folder: Path, database_url: str) -> Iterator[Live]:
    """Run the system, a stream of deliveries and Prometheus while the block does."""
    with (
        own_apache_kafka() as kafka,
        system(folder, kafka, database_url, faults.CONFIGURATION) as running,
        gateways(running) as played,
    ):
        port = free_port()
        configure(folder, running, JOBS)
        remember(folder, time.time(), FACTOR)
        usual = [name for name in played.endpoints if name not in _UNUSUAL]
        with (
            prometheus(folder, port, LOOKBACK) as scraping,
            played.streaming(usual, RATE),
        ):
            yield Live(folder, running, played, scraping)


def configure(folder: Path, running: System, jobs: Mapping[str, Sequence[str]]) -> None:
    """Write what Prometheus is given: what is shipped, with other addresses, sped up."""
    rules = []
    for path in rule_files():
        hurried = hurried_rules(read_rules(path), FACTOR, STEP)
        (folder / path.name).write_text(yaml.safe_dump(hurried))
        rules.append(str(folder / path.name))
    shipped = yaml.safe_load(CONFIGURATION.read_text())
    targets = {job: [running.target(name) for name in names] for job, names in jobs.items()}
    configuration = hurried_configuration(shipped, FACTOR, STEP, targets, rules)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
