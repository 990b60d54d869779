"""The action that sends a test delivery."""

from collections.abc import Sequence
from typing import Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import (
    ActionDone,
    ActionField,
    ActionPreview,
    ConsoleAction,
)
from consumers.console.pages.endpoints.detail import facts_of
from consumers.console.pages.endpoints.trial import (
    AMOUNT,
    CURRENCY,
    NotSendable,
    TrialDelivery,
    prepare_trial,
    send_trial,
    trial_endpoint,
    trial_types,
)
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.commands.actions.held_admin import record_operation
from router.terminal.typed import typed

_ENDPOINT: Final = "endpoint"
_TYPE: Final = "type"

RECORDED_BY: Final = "ledger"
"""The consumer whose `operation` table records it: the edge has no database."""


async def _preview(visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    facts = facts_of(visit, given.one(_ENDPOINT))
    try:
        trial = _prepared(visit, given)
    except NotSendable as why:
        accounts: frozenset[str | None] = frozenset({facts.account})
        return ActionPreview(0, accounts, warning=visit.text(why.obstacle, **why.values))
    order = trial.order
    line = visit.text(
        "endpoints.trial.line",
        type=order.type,
        amount=order.amount,
        currency=order.currency,
        account=facts.account,
    )
    options = {"--endpoint": facts.name, "--type": order.type, "--order": order.reference}
    return ActionPreview(
        1,
        frozenset({facts.account}),
        [line],
        typed(f"payrouter send {facts.provider}", options={**options, "--amount": order.amount}),
    )


async def _run(visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    try:
        trial = _prepared(visit, given)
        await _record(visit, trial, reason)
        sent = await send_trial(visit.sources.settings, trial)
    except NotSendable as why:
        raise WrongInput(_ENDPOINT, visit.text(why.obstacle, **why.values)) from None
    key = "endpoints.trial.accepted" if sent.as_expected else "endpoints.trial.refused"
    sentence = visit.text(
        key, order=trial.order.reference, status=sent.answered.status, answer=sent.answer
    )
    return ActionDone(sentence, f"/endpoints/{trial.endpoint.name}")


def _prepared(visit: ConsoleVisit, given: FormFields) -> TrialDelivery:
    settings, name = visit.sources.settings, given.one(_ENDPOINT)
    types = trial_types(trial_endpoint(settings, name))
    kind = given.one(_TYPE, types[0])
    if kind not in types:
        raise WrongInput(_TYPE, ", ".join(types))
    return prepare_trial(settings, name, kind, AMOUNT, visit.now)


async def _record(visit: ConsoleVisit, trial: TrialDelivery, reason: str) -> None:
    """Record it before it is sent: no delivery leaves unrecorded."""
    order = trial.order
    what = f"send {trial.endpoint.name} --type {order.type} --order {order.reference}"
    tables = visit.sources.consumers[RECORDED_BY].tables
    async with visit.acting(RECORDED_BY) as engine, engine.begin() as transaction:
        detail = f"{order.amount} {CURRENCY}: {reason}"
        await record_operation(transaction, tables, visit.who, what, detail)


def _types(visit: ConsoleVisit) -> Sequence[tuple[str, str]]:
    name = visit.query.one(_ENDPOINT) or visit.form.one(_ENDPOINT)
    try:
        types = trial_types(trial_endpoint(visit.sources.settings, name))
    except NotSendable:
        return []
    return [(each, each) for each in types]


TRIAL: Final = ConsoleAction(
    name="trial",
    key="endpoints.trial",
    needs=Role.OPERATOR,
    preview=_preview,
    run=_run,
    fields=(ActionField(_TYPE, "endpoints.trial.type", _types, required=True),),
    back="/endpoints",
)
