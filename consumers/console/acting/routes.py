"""Routes of an action: its preview, and doing it."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from consumers.console.acting.action import ActionPreview, ConsoleAction
from consumers.console.web.answers import Html, PageAnswer, Redirect
from consumers.console.web.form_fields import FormFields
from consumers.console.web.page import PageRoute
from consumers.console.web.problems import NotPermitted, WrongInput
from consumers.console.web.visit import ConsoleVisit

_REASON: Final = "reason"
_COUNT: Final = "expected_count"
_LONGEST_REASON: Final = 500
_CHANGED: Final = 409


def action_routes(action: ConsoleAction) -> Sequence[PageRoute]:
    """Return the routes of an action."""
    path = f"/do/{action.name}"
    return (
        PageRoute(path, partial(_show, action), "GET", action.needs, acts=True),
        PageRoute(path, partial(_do, action), "POST", action.needs, acts=True),
    )


async def _show(action: ConsoleAction, visit: ConsoleVisit) -> PageAnswer:
    preview = await _permitted(action, visit, visit.query)
    return _page(action, visit.query, preview, "")


async def _do(action: ConsoleAction, visit: ConsoleVisit) -> PageAnswer:
    given = visit.form.without(_REASON, _COUNT)
    preview = await _permitted(action, visit, given)
    reason = visit.form.one(_REASON)[:_LONGEST_REASON]
    if not reason:
        return _page(action, given, preview, visit.text("web.action.reason_missing"), 400)
    missing = [each for each in action.fields if each.required and not given.one(each.name)]
    if missing:
        label = visit.text(missing[0].label)
        problem = visit.text("web.action.field_missing", field=label)
        return _page(action, given, preview, problem, 400)
    if str(preview.count) != visit.form.one(_COUNT):
        # This number was not confirmed.
        problem = visit.text("web.action.count_changed")
        return _page(action, given, preview, problem, _CHANGED)
    if preview.count == 0:
        raise WrongInput(action.name, visit.text("web.action.nothing"))
    done = await action.run(visit, given, reason)
    return Redirect(done.path, done.sentence)


async def _permitted(
    action: ConsoleAction, visit: ConsoleVisit, given: FormFields
) -> ActionPreview:
    """Return the preview; raises NotPermitted if the person lacks the role for one account."""
    preview = await action.preview(visit, given)
    if not all(visit.viewer.may(action.needs, account) for account in preview.accounts):
        raise NotPermitted
    return preview


def _page(
    action: ConsoleAction,
    given: FormFields,
    preview: ActionPreview,
    problem: str,
    status: int = 200,
) -> Html:
    asked = {each.name for each in action.fields}
    kept = preview.fields if preview.fields.pairs else given
    values = {
        "action": action,
        "preview": preview,
        "given": given,
        "kept": kept.without(*asked).pairs,
        "problem": problem,
        "longest_reason": _LONGEST_REASON,
    }
    return Html("acting/action.html", values, preview.command, status)
