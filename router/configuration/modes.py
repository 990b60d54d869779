"""Sandbox and live: test money is never mixed with real money.

A provider reports for each event that its money is real, is not, or that this is
unknown. Only a contradiction of the endpoint's mode stops the event.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

from router.contract.event import Event
from router.errors import NotUnderstood, Reason

Mode = Literal["live", "test"]

_REFUSED: Final[Mapping[Mode, tuple[bool, Reason, str]]] = {
    "live": (True, Reason.TEST_MONEY, 'test money at a live endpoint: give it one of mode "test"'),
    "test": (False, Reason.LIVE_MONEY, 'live money at a test endpoint: give it one of mode "live"'),
}


class Moded(Protocol):
    """The settings of an endpoint that its mode concerns."""

    @property
    def account(self) -> str:
        """Account that the money belongs to."""

    @property
    def mode(self) -> Mode:
        """Whether the money is real."""


def of_mode(events: Sequence[Event], mode: Mode, came_under: Mode | None = None) -> Sequence[Event]:
    """Return the events as those of an endpoint of this mode; at a test endpoint all are test.

    `came_under` is the mode at arrival. If the endpoint's mode is different now, the events
    themselves must contain it. Raises NotUnderstood if one of the events is of the other mode:
    then none continues, since they belong to one delivery.
    """
    wrong, reason, detail = _REFUSED[mode]
    if any(event.test is wrong for event in events):
        raise NotUnderstood(reason, detail)
    if came_under not in {None, mode} and any(event.test is None for event in events):
        detail = f"the endpoint's mode was {came_under} when it arrived, and it contains no mode"
        raise NotUnderstood(reason, detail)
    if mode == "live":
        return events
    return [event.model_copy(update={"test": True}) for event in events]


def shared_accounts(endpoints: Mapping[str, Moded]) -> list[str]:
    """Return a problem for each endpoint that shares its account with one of the other mode."""
    first: dict[str, str] = {}
    problems = []
    for name, endpoint in endpoints.items():
        other = first.setdefault(endpoint.account, name)
        if endpoints[other].mode != endpoint.mode:
            problems.append(
                f"endpoints.{name}.mode: {endpoint.mode}, and endpoints.{other} is"
                f" {endpoints[other].mode} under the same account, {endpoint.account}:"
                " test money needs a separate account"
            )
    return problems
