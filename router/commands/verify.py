"""`payrouter verify`."""

from pathlib import Path

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.completion import complete_endpoint, complete_provider
from router.terminal.options import json_option


@click.command(
    "verify",
    epilog=example("verify blockatm --file request.txt", "verify blockatm --refused 8f7af8a8"),
)
@click.argument("provider", shell_complete=complete_provider)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the request: request line, headers, an empty line, the body.",
)
@click.option("--refused", "sample", help="Refused delivery: its id or the beginning of its id.")
@click.option(
    "--endpoint",
    shell_complete=complete_endpoint,
    help="Endpoint it was sent to; default: the first one of the provider.",
)
@click.option("--at", help="Time of arrival, ISO 8601 or Unix milliseconds; default: now.")
@invoked
@json_option
def verify(  # noqa: PLR0913 - one argument per option
    invocation: Invocation,
    provider: str,
    path: Path | None,
    sample: str | None,
    endpoint: str | None,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """Explain step by step why a request verifies or not.

    Prints no secret. The request comes from a file, or is one that the edge
    refused. A refused request is checked as of its arrival, unless --at is given.
    Exits with status 1 if the request does not verify.
    """
    if (path is None) == (sample is None):
        message = "expected either --file or --refused"
        raise click.UsageError(message)
    from router.commands.actions.verify import CapturedRequest, explain_request

    request = CapturedRequest(provider, endpoint, path, sample, at)
    explain_request(invocation, request, as_json=as_json)
