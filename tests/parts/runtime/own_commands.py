"""Runs the commands of a consumer with settings made for the test, not read from a file."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner, Result

from consumers.cli import command_line
from consumers.runtime.configured import Consumer
from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings
from router.terminal.exits import run
from router.terminal.options import ConfigurationPlace


@dataclass(frozen=True)
class OneConsumer:
    """Click's object with one consumer."""

    found: Consumer

    def consumer(self, place: ConfigurationPlace, name: str) -> Consumer:
        """Return it, wherever the configuration is."""
        del place
        assert name == self.found.service.name
        return self.found

    def consumers(self, place: ConfigurationPlace) -> Sequence[Consumer]:
        """Return it alone."""
        return [self.consumer(place, self.found.service.name)]


def group_of(name: str) -> click.Command:
    """Return the group with the own commands of a consumer."""
    return command_line().entries[name].load()


def run_own(
    service: Service,
    settings: ConsumerSettings,
    arguments: Sequence[str],
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a command of a consumer."""
    found, runner = OneConsumer(Consumer(service, settings)), CliRunner()
    with runner.isolation(env=env) as (out, err, both):
        with pytest.raises(SystemExit) as ended:
            run(group_of(service.name), found, arguments)
        sys.stdout.flush()
    code = ended.value.code
    status = code if isinstance(code, int) else int(code is not None)
    return Result(runner, out.getvalue(), err.getvalue(), both.getvalue(), None, status, None)
