"""The verification of a stored delivery, step by step, with the keys of this process."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.console.pages.deliveries.one import StoredDelivery
from consumers.console.web.visit import ConsoleVisit
from router.contract.event import Event
from router.contract.quarantine import Quarantined
from router.edge.endpoints import join_endpoints
from router.quarantine.explain import Explanation, Step
from router.quarantine.stored import (
    KeyedEndpoint,
    explain_quarantined,
    explain_refused,
    explain_stored,
)


@dataclass(frozen=True)
class ShownVerification:
    """The steps and their result; or why there are none, as the key of a text."""

    verified: bool
    steps: Sequence[Step] = ()
    absent: str = ""


def shown_verification(visit: ConsoleVisit, found: StoredDelivery) -> ShownVerification:
    """Explain a delivery; without what people may not see."""
    kept = found.kept
    keyed = _keyed(visit, kept.endpoint)
    if keyed is None:
        return ShownVerification(verified=False, absent="deliveries.verify.no_endpoint")
    if isinstance(kept, Event) and kept.raw is None:
        return ShownVerification(verified=True, absent="deliveries.verify.elsewhere")
    explanation = _explained(found, keyed)
    steps = [_permitted(visit, step) for step in explanation.steps]
    return ShownVerification(explanation.verified, steps)


def _explained(found: StoredDelivery, keyed: KeyedEndpoint) -> Explanation:
    kept = found.kept
    if isinstance(kept, Quarantined):
        return explain_quarantined(kept, keyed)
    if isinstance(kept, Event):
        assert kept.raw is not None  # noqa: S101 - the caller has checked it
        return explain_stored(kept.raw, keyed, kept.account, kept.received_at)
    return explain_refused(kept, keyed, None)


def _keyed(visit: ConsoleVisit, name: str) -> KeyedEndpoint | None:
    """Return an endpoint with its keys, None if this process does not have them."""
    settings = visit.sources.settings
    if name not in settings.endpoints:
        return None
    own = settings.endpoints[name]
    built = join_endpoints({name: own}, settings.edge.public_url)[0]
    if name not in built:
        return None
    return KeyedEndpoint(built[name], own.token.get_secret_value() if own.token else None)


def _permitted(visit: ConsoleVisit, step: Step) -> Step:
    if step.content is None or visit.viewer.personal:
        return step
    return Step(step.what, step.found, step.good, visit.text("deliveries.personal"))
