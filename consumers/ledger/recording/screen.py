"""Prints what a statement would change, or what was recorded."""

from collections.abc import Iterable, Sequence

import click

from consumers.ledger.dates import day_of, moment_of
from consumers.ledger.postings import AmountsByPlace
from consumers.ledger.recording.finding import Sought
from consumers.ledger.recording.recording import Proposal, propose, record
from consumers.ledger.recording.statement import Statement
from consumers.runtime.cases.finding import Finding
from consumers.runtime.settings import ConsumerSettings
from router.contract.amounts import amount_text, value_text
from router.terminal.output import show_json, show_table
from router.terminal.processes import run_async
from router.terminal.typed import typed


def run_record(
    settings: ConsumerSettings,
    sought: Sought,
    statement: Statement,
    version: str | None,
    *,
    as_json: bool,
) -> None:
    """Record a statement about a version; without one, print what would change."""
    if version is None:
        proposal = run_async(propose(settings, sought, statement))
    else:
        proposal = run_async(record(settings, sought, statement, version))
    done = version is not None
    command = "" if done else _repeated(sought, statement, proposal.version)
    if as_json:
        show_json(_as_json(proposal, command, done=done))
    else:
        _show(proposal, statement, command, done=done)


def _as_json(proposal: Proposal, command: str, *, done: bool) -> dict[str, object]:
    position, preview = proposal.subject.position, proposal.preview
    return {
        "done": done,
        "event_id": str(proposal.event.id) if done else None,
        "family": position.family,
        "account": position.account,
        "provider": position.provider,
        "provider_reference": position.provider_reference,
        "reference": position.reference,
        "status": position.status,
        "version": proposal.version,
        "known": list(preview.known),
        "waiting": [
            {"event_id": str(each.event_id), "by": each.who, "at": each.at.isoformat()}
            for each in proposal.pending
        ],
        "day": day_of(moment_of(proposal.event)).isoformat(),
        "booked": _lines_json(preview.amounts),
        "postings": _lines_json(preview.lines),
        "opened": _findings_json(preview.opened),
        "closed": _findings_json(preview.closed),
        "remaining": _findings_json(preview.remaining),
        "command": command or None,
    }


def _lines_json(amounts: AmountsByPlace) -> list[dict[str, object]]:
    return [
        {
            "account": place.account.name,
            "network": place.account.network,
            "currency": place.currency,
            "amount": amount_text(amount),
        }
        for place, amount in amounts.items()
    ]


def _findings_json(findings: Iterable[Finding]) -> list[dict[str, object]]:
    return [{"kind": each.kind, "facts": dict(each.facts)} for each in findings]


def _show(proposal: Proposal, statement: Statement, command: str, *, done: bool) -> None:
    show_table("", ("", ""), _rows(proposal, statement, done=done), lined=False)
    if done:
        click.echo(f"recorded as event {proposal.event.id}; the running ledger publishes it")
        return
    reason = " with --reason TEXT" if statement.reason is None else ""
    click.echo(f"nothing was recorded; to record it, run{reason}:")
    click.echo(command)


def _rows(proposal: Proposal, statement: Statement, *, done: bool) -> Sequence[Sequence[str]]:
    position, preview = proposal.subject.position, proposal.preview
    order = "" if position.reference is None else f", order {position.reference}"
    named = position.provider_reference or position.reference
    transfer = "" if statement.movement is None else f" of {statement.movement}"
    amount = f"{value_text(statement.amount)} {statement.currency}"
    would = "" if done else "would be "
    rows = [
        (position.family, f"{named} of {position.account} at {position.provider}{order}"),
        ("status", position.status or "no event was about it yet"),
        ("statement", f"{statement.type.value} {amount}{transfer}"),
        ("known", "; ".join(preview.known) or "no amount"),
        ("version", proposal.version),
    ]
    rows += [
        ("not applied", f"event {each.event_id}, recorded by {each.who} at {each.at.isoformat()}")
        for each in proposal.pending
    ]
    rows += _line_rows("booked now", preview.amounts)
    rows += _line_rows(f"{would}posted", preview.lines)
    rows.append(("day", day_of(moment_of(proposal.event)).isoformat()))
    for word, findings in (
        (f"{would}opened", preview.opened),
        (f"{would}closed", preview.closed),
        ("stays open", preview.remaining),
    ):
        rows += [(word, _finding_text(each)) for each in findings]
    return rows


def _line_rows(word: str, amounts: AmountsByPlace) -> list[tuple[str, str]]:
    if not amounts:
        return [(word, "nothing")]
    return [
        (word, f"{place.account.name} {amount_text(amount)} {place.currency}")
        for place, amount in amounts.items()
    ]


def _finding_text(finding: Finding) -> str:
    facts = ", ".join(f"{name}: {text}" for name, text in finding.facts.items())
    return f"{finding.kind} ({facts})"


def _repeated(sought: Sought, statement: Statement, version: str) -> str:
    """Return the command that records the statement, for this version."""
    options = {
        "--type": statement.type.value,
        "--amount": amount_text(statement.amount),
        "--currency": statement.currency,
        "--movement": statement.movement,
        "--network": statement.network,
        "--account": sought.account,
        "--provider": sought.provider,
        "--order": sought.order,
        "--at": statement.at and statement.at.isoformat(),
        "--reason": statement.reason,
        "--version": version,
    }
    given = {name: value for name, value in options.items() if value}
    return typed("payrouter ledger record", [sought.reference], given, ["--yes"])
