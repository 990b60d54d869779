"""Exit codes: 0 fine, 1 found a problem, 2 wrong usage or configuration, 130 interrupted."""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

EXIT_PROBLEM: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Errors of a write to a disk that is full or broken."""


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
    without a traceback, and so does a disk without room for the output; every other
    exception is a bug and is not caught.
    Commands find `installation` as click's object.
    """
    try:
        status = command.main(
            arguments, prog_name="payrouter", standalone_mode=False, obj=installation
        )
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise SystemExit(EXIT_USAGE) from None
    except click.UsageError as error:
        _show(_usage(error))
        raise SystemExit(EXIT_USAGE) from None
    except click.Abort:
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        _discard_output()
        raise SystemExit(EXIT_PROBLEM) from None
    except Exception as error:
        _end(error)
        raise
    raise SystemExit(status if isinstance(status, int) else 0)


def _end(error: Exception) -> None:
    """Exit with the status and the lines of an error that has them; return if it is a bug."""
    code = getattr(error, "exit_code", None)
    if code is not None:
        _show(*str(error).splitlines())
        raise SystemExit(code) from None
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        _discard_output()
        _show(f"cannot write: {os.strerror(error.errno)}")
        raise SystemExit(EXIT_PROBLEM) from None


def _usage(error: click.UsageError) -> str:
    """Return click's message in the style of all others: one line, with the remedy."""
    text = " ".join(error.format_message().split())
    if not text[1:2].isupper():
        # An abbreviation, such as SKU, stays as it is spelled.
        text = text[:1].lower() + text[1:]
    if error.ctx is None:
        return text
    remedy = f"`{error.ctx.command_path} --help`"
    return f"{text} See {remedy}." if text.endswith("?") else f"{text.rstrip('.')}; see {remedy}"


def _show(*lines: str) -> None:
    for line in lines:
        click.echo(f"payrouter: {line}", err=True)


def _discard_output() -> None:
    """Discard what is left for standard output: Python flushes it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
