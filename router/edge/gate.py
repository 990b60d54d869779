"""An endpoint as the public port knows it: who may come in, and with which token."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.configuration.addresses import Network
from router.edge.intake import Endpoint


@dataclass(frozen=True)
class Gate:
    """An endpoint with the token its URL must carry and the networks it is open to, if any."""

    endpoint: Endpoint
    token: bytes | None = field(repr=False)
    allow_from: tuple[Network, ...] | None = None

    @property
    def secrets(self) -> list[bytes]:
        """What nobody else may see: the active secrets and the token."""
        token = [] if self.token is None else [self.token]
        return [*(key.secret for key in self.endpoint.keys), *token]


def shortest_deadline(gates: Mapping[str, Gate]) -> float:
    """Return the tightest deadline of all endpoints, in seconds."""
    return min(gate.endpoint.deadline_seconds for gate in gates.values())


def longest_deadline(gates: Mapping[str, Gate]) -> float:
    """Return the widest deadline of all endpoints, in seconds."""
    return max(gate.endpoint.deadline_seconds for gate in gates.values())
