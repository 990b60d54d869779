"""Shell completion of names: endpoints, gateways, consumers, topics, channels.

A completer reads the configuration file as it is, without checking it. It never fails: without an
answer the shell completes nothing. It returns names alone, never a value of the configuration.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import click

from router.terminal.configuration_file import configuration_path
from router.terminal.options import DATA_DIR

SHELLS: Final = ("bash", "zsh", "fish")

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


class NamesConsumers(Protocol):
    """Click's object, as completion uses it."""

    def names(self) -> Iterable[str]:
        """Return the names of the installed consumers, without importing them."""


def script(command: click.Command, shell: str) -> str:
    """Return the script that a shell sources to complete `payrouter`."""
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        message = f"no completion for {shell}; there is one for {', '.join(SHELLS)}"
        raise click.UsageError(message)
    # Not its own source(): for bash that one starts a bash to ask for its version.
    return ShellComplete.source(kind(command, {}, "payrouter", "_PAYROUTER_COMPLETE"))


def complete_from(names: Callable[[], Iterable[str]]) -> Completer:
    """Return a completer of known values; `names` is called only to complete."""
    return _completer(lambda _ctx: names())


def _completer(names: Callable[[click.Context], Iterable[str]]) -> Completer:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        del param
        try:
            return sorted({name for name in names(ctx) if name.startswith(incomplete)})
        except Exception:  # noqa: BLE001 - pressing TAB prints no error, even for a broken file
            return []

    return complete


def _configuration(ctx: click.Context) -> Mapping[str, Any]:
    import tomllib

    config, data_dir = ctx.params.get("config"), ctx.params.get("data_dir")
    given = data_dir or os.environ.get("PAYROUTER_DATA_DIR") or DATA_DIR
    path = configuration_path(Path(config) if config else None, Path(given), os.environ)
    return {} if path is None else tomllib.loads(path.read_text(encoding="utf-8-sig"))


def _endpoints(ctx: click.Context) -> Iterable[str]:
    return list(_configuration(ctx).get("endpoints", {}))


def _consumers(ctx: click.Context) -> Iterable[str]:
    found: NamesConsumers = ctx.obj
    return found.names()


def provider_names() -> list[str]:
    """Return the names of the installed gateways, without importing one."""
    from importlib.metadata import entry_points

    import router

    folder = Path(next(iter(router.__path__))) / "providers"
    stems = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    own = {stem for stem in stems if not stem.startswith("_")}
    return sorted(own | {entry.name for entry in entry_points(group="payrouter.providers")})


def _topics(ctx: click.Context) -> Iterable[str]:
    from router.contract.topics import FAMILIES, ORDER, Topics

    table = _configuration(ctx).get("topics", {})
    names = Topics(str(table.get("prefix", "")), tuple(table.get("names", {}).items()))
    return [names.name(topic) for topic in (*FAMILIES, ORDER)]


def _channels(ctx: click.Context) -> Iterable[str]:
    own = _configuration(ctx).get("consumers", {}).get("notifications", {})
    return ["log", *own.get("channels", {})]


complete_endpoint = _completer(_endpoints)
complete_provider = complete_from(provider_names)
complete_consumer = _completer(_consumers)
complete_topic = _completer(_topics)
complete_channel = _completer(_channels)
