"""The next step of a verdict as a link: an action, or the page that shows the thing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumers.console.access.viewer import Role
from consumers.console.pages.deliveries.links import delivery_path, replay_path
from consumers.console.pages.deliveries.seen import RecordPlace
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.trace.gather import Trace
from consumers.runtime.trace.kept_scan import FoundDelivery
from consumers.runtime.trace.verdict import Problem, ProblemStep
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused


@dataclass(frozen=True)
class StepLink:
    """A button: the key of its text and its path; without a path only the command is shown."""

    key: str
    path: str
    command: str


def step_of(visit: ConsoleVisit, found: Trace, problem: Problem) -> StepLink | None:
    """Return the next step of a problem, None if there is none."""
    if problem.step is None:
        return None
    path = _PATHS.get(problem.kind, _nowhere)(visit, found, problem.step)
    acts = path.startswith("/deliveries/do/")
    key = "search.step.replay" if acts else f"search.step.{problem.kind}"
    return StepLink(key, path, problem.step.command)


def _nowhere(_visit: ConsoleVisit, _found: Trace, _step: ProblemStep) -> str:
    return ""


def _quarantined(visit: ConsoleVisit, found: Trace, step: ProblemStep) -> str:
    for each in found.quarantined.found:
        if str(each.kept.id) == step.subject:
            if visit.may_act(Role.OPERATOR, each.kept.account):
                return replay_path(id=str(each.kept.id))
            return kept_path(visit, each)
    return ""


def _refused(visit: ConsoleVisit, found: Trace, step: ProblemStep) -> str:
    for each in found.refused.found:
        if str(each.kept.id) == step.subject:
            return kept_path(visit, each)
    return ""


def kept_path(
    visit: ConsoleVisit, found: FoundDelivery[Quarantined] | FoundDelivery[Refused]
) -> str:
    """Return the path of a stored delivery."""
    place = RecordPlace(found.partition.topic, found.partition.number, found.offset)
    return delivery_path(visit.sources.settings.topics.topics(), place) or ""


def _held(_visit: ConsoleVisit, _found: Trace, step: ProblemStep) -> str:
    return f"/groups/held/{step.consumer}/{step.subject}"


def _consumer(_visit: ConsoleVisit, _found: Trace, _step: ProblemStep) -> str:
    return "/groups"


def _case(_visit: ConsoleVisit, _found: Trace, step: ProblemStep) -> str:
    return f"/cases/{step.subject}"


_PATHS: Mapping[str, Callable[[ConsoleVisit, Trace, ProblemStep], str]] = {
    "quarantined": _quarantined,
    "refused": _refused,
    "dead": _held,
    "parked": _held,
    "braked": _consumer,
    "missing": _consumer,
    "undecided": _case,
}
