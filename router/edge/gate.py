"""An endpoint with its access rules: URL token and allowed networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from router.configuration.addresses import Network
from router.edge.intake import Endpoint

if TYPE_CHECKING:
    from router.edge.http.answers import Response


@dataclass(frozen=True)
class Gate:
    """An endpoint, the token required in its URL and the networks allowed to call it, if any."""

    endpoint: Endpoint
    token: bytes | None = field(repr=False)
    allow_from: tuple[Network, ...] | None = None

    @property
    def secrets(self) -> list[bytes]:
        """The active secrets and the token, which must never be shown."""
        token = [] if self.token is None else [self.token]
        return [*(key.secret for key in self.endpoint.keys), *token]

    @cached_property
    def accepted(self) -> "Response":
        """The success answer that the gateway expects."""
        # Commands read gates too, and answer nothing.
        from router.edge.http.answers import Response  # noqa: PLC0415

        answer = self.endpoint.provider.answer
        return Response(answer.status, answer.body, answer.content_type)


def shortest_deadline(gates: Mapping[str, Gate]) -> float:
    """Return the shortest deadline of all endpoints, in seconds."""
    return min(gate.endpoint.deadline_seconds for gate in gates.values())


def longest_deadline(gates: Mapping[str, Gate]) -> float:
    """Return the longest deadline of all endpoints, in seconds."""
    return max(gate.endpoint.deadline_seconds for gate in gates.values())
