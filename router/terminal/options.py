"""Options that many commands share, and where they lead to."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

DATA_DIR: Final = Path(".payrouter")


@dataclass(frozen=True)
class ConfigurationPlace:
    """Where the configuration in force is looked for: `--config` and `--data-dir`."""

    config: Path | None = None
    data_dir: Path = DATA_DIR


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

supervised_option = click.option(
    "--supervised", is_flag=True, hidden=True, help="Stop when standard input ends."
)

_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: PAYROUTER_CONFIG, ./payrouter.toml, the data directory's.",
)
_data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA_DIR,
    envvar="PAYROUTER_DATA_DIR",
    show_default=True,
    help="Directory in which a running `payrouter dev` keeps its addresses and data.",
)


def located(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config` and `--data-dir` to a command; its first argument is a ConfigurationPlace."""

    @_config_option
    @_data_dir_option
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, data_dir: Path, **options: Any) -> Any:  # noqa: ANN401 - click's
        return command(ConfigurationPlace(config, data_dir), *args, **options)

    return wrapped


def whole_number(least: int, most: int | None = None) -> click.IntRange:
    """Return the type of an option or argument that is a whole number within bounds."""
    kind = click.IntRange(least, most)
    kind.name = "integer"  # click's "integer range" is in every help and error
    return kind


def decimal_number(least: float, most: float | None = None) -> click.FloatRange:
    """Return the type of an option that is a number within bounds."""
    kind = click.FloatRange(least, most)
    kind.name = "number"
    return kind


def moment(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    """Parse a time, as the callback of an option; without a zone it is UTC."""
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        message = f"{value!r} is not a time; use 2026-11-22 or 2026-11-22T10:00:00Z"
        raise click.BadParameter(message) from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def limit_option(default: int, most: int | None = 100_000) -> Callable[[Any], Any]:
    """Return the option `--limit`: how many entries a listing shows at most."""
    return click.option(
        "--limit",
        type=whole_number(1, most),
        default=default,
        show_default=True,
        help="Number of entries at most.",
    )


def since_option(meaning: str) -> Callable[[Any], Any]:
    """Return the option `--since`: a time."""
    return click.option(
        "--since",
        callback=moment,
        metavar="TIME",
        help=f"{meaning}: 2026-11-22 or 2026-11-22T10:00:00Z.",
    )
