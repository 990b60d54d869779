"""Exit codes: 0 fine, 1 found a problem, 2 wrong usage or configuration, 130 interrupted."""

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

EXIT_PROBLEM: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


class CommandError(click.ClickException):
    """Ends a command with one line on standard error and status 1."""

    exit_code = EXIT_PROBLEM


class StartError(click.ClickException):
    """Ends a serving process that cannot start as it is configured, with one line and status 2."""

    exit_code = EXIT_USAGE


def run(
    command: click.Command, installation: object = None, arguments: Sequence[str] | None = None
) -> NoReturn:
    """Run the command line, with the process's arguments or those given, and exit.

    An exception with an `exit_code` ends it with that status and its message,
    without a traceback; every other exception is a bug and is not caught.
    Commands find `installation` as click's object.
    """
    try:
        status = command.main(
            arguments, prog_name="payrouter", standalone_mode=False, obj=installation
        )
    except click.UsageError as error:
        error.show()
        raise SystemExit(EXIT_USAGE) from None
    except click.Abort:
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # The reader closed the pipe. Python flushes standard output again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_PROBLEM) from None
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if code is None:
            raise
        for line in str(error).splitlines():
            click.echo(f"payrouter: {line}", err=True)
        raise SystemExit(code) from None
    raise SystemExit(status if isinstance(status, int) else 0)
