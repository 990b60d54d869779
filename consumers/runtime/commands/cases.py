"""`payrouter cases list|show|assign|close|note|reopen`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from consumers.runtime.commands.one_consumer import all_consumers
from consumers.runtime.commands.quarantine_limit import quarantine_limit_option
from router.terminal.command_tree import example
from router.terminal.completion import complete_consumer
from router.terminal.options import decimal_number, json_option, limit_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.runtime.configured import Consumer


@click.command(
    "list",
    epilog=example("cases list", "cases list --order A-1", "cases list --older-than 24 --json"),
)
@all_consumers
@click.option(
    "--consumer",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_consumer,
    help="Only cases of this consumer; may be repeated.",
)
@click.option("--kind", "kinds", multiple=True, help="Only cases of this kind; may be repeated.")
@click.option("--account", help="Only cases of this merchant.")
@click.option("--order", help="Only cases of this order, or of this payment of the gateway.")
@click.option(
    "--older-than",
    "hours",
    type=decimal_number(0),
    default=0,
    metavar="HOURS",
    help="Only cases that arose so many hours ago or earlier.",
)
@click.option("--assigned-to", metavar="OPERATOR", help="Only cases that are assigned to OPERATOR.")
@click.option("--unassigned", is_flag=True, help="Only cases that are assigned to no one.")
@click.option("--closed", is_flag=True, help="Cases that are closed, instead of the open ones.")
@limit_option(100)
@quarantine_limit_option
@json_option
def list_(
    consumers: "Sequence[Consumer]",
    *,
    quarantine_limit: int,
    as_json: bool,
    **filters: Any,  # noqa: ANN401 - click's
) -> None:
    """List open cases by order, the oldest first: what needs an operator.

    Adds how many deliveries are on quarantine and refused. Exits with status 1 if a database could
    not be read.
    """
    if filters["assigned_to"] and filters["unassigned"]:
        message = "--assigned-to and --unassigned exclude each other"
        raise click.UsageError(message)
    from consumers.runtime.commands.actions.cases import CaseQuestion, list_cases

    list_cases(consumers, CaseQuestion(**filters), quarantine_limit, as_json=as_json)


@click.command("show", epilog=example("cases show 3f9a1c02e4b7"))
@all_consumers
@click.argument("case")
@json_option
def show(consumers: "Sequence[Consumer]", case: str, *, as_json: bool) -> None:
    """Show CASE with its facts, the commands about it, and what operators decided.

    CASE is its id or the beginning of its id. An id names the facts too: once they change, the case
    has another id.
    """
    from consumers.runtime.commands.actions.cases import show_case

    show_case(consumers, case, as_json=as_json)


def _deciding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument CASES and the options of a command that records a decision."""
    for decorator in (
        json_option,
        click.option("--yes", is_flag=True, help="Do it. Without, only list the cases."),
        click.option("--reason", required=True, help="Why; stored permanently, with your name."),
        click.argument("cases", metavar="CASES", nargs=-1, required=True),
        all_consumers,
    ):
        command = decorator(command)
    return command


@click.command(
    "assign",
    epilog=example('cases assign 3f9a1c02e4b7 --to anna --reason "on call" --yes'),
)
@_deciding
@click.option("--to", "operator", metavar="OPERATOR", help="Operator to whom the cases are given.")
@click.option("--unassign", is_flag=True, help="No one has them any more.")
def assign(  # noqa: PLR0913 - one argument per option
    consumers: "Sequence[Consumer]",
    cases: tuple[str, ...],
    *,
    reason: str,
    yes: bool,
    as_json: bool,
    operator: str | None,
    unassign: bool,
) -> None:
    """Assign open CASES to an operator, also after their facts change.

    OPERATOR is any name; in the console it is the name with which they sign in.
    """
    operator = operator and operator.strip()
    if unassign is bool(operator):
        message = "give either --to with a name, or --unassign"
        raise click.UsageError(message)
    from consumers.runtime.commands.actions.case_words import CaseDecision, decide

    decide(
        consumers, CaseDecision("assigned", cases, reason, yes, operator or None), as_json=as_json
    )


@click.command(
    "close",
    epilog=example('cases close 3f9a1c02e4b7 --reason "refunded, ticket 17" --yes'),
)
@_deciding
def close(
    consumers: "Sequence[Consumer]",
    cases: tuple[str, ...],
    *,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Close CASES: they stay closed until their facts change.

    Nothing else changes, neither books nor stock.
    """
    from consumers.runtime.commands.actions.case_words import CaseDecision, decide

    decide(consumers, CaseDecision("closed", cases, reason, yes), as_json=as_json)


@click.command("note", epilog=example('cases note 3f9a1c02e4b7 --reason "asked the gateway" --yes'))
@_deciding
def note(
    consumers: "Sequence[Consumer]",
    cases: tuple[str, ...],
    *,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Add a note to CASES, which stay as they are."""
    from consumers.runtime.commands.actions.case_words import CaseDecision, decide

    decide(consumers, CaseDecision("note", cases, reason, yes), as_json=as_json)


@click.command(
    "reopen", epilog=example('cases reopen 3f9a1c02e4b7 --reason "closed the wrong one" --yes')
)
@_deciding
def reopen(
    consumers: "Sequence[Consumer]",
    cases: tuple[str, ...],
    *,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Open CASES again that were closed by mistake."""
    from consumers.runtime.commands.actions.case_words import CaseDecision, decide

    decide(consumers, CaseDecision("reopened", cases, reason, yes), as_json=as_json)
