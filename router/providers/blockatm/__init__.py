"""BlockATM, webhooks of version 2: payments into cashiers and payouts from contracts.

Signed with the webhook key of the cashier or payout contract. Deliveries of
version 1 (ECDSA, `BlockATM-Signature-V1`, batches) are refused: they carry no
version 2 header. Sources, named where a fact is used: the pages of
github.com/BlockATMOnLine/docs ("BlockATM docs"), of its predecessor
BlockATM_V2, and the Java of BlockATMOnLine/sign-demo.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.providers import Answer, Key, Simulation
from router.providers.blockatm import _meaning, _signature, _simulated

# Any 200 will do; the body is that of the samples (BlockATM docs, webhooks/README.md).
_ANSWER = Answer(200, "text/plain", b"OK")


@dataclass(frozen=True)
class BlockATM:
    """The provider, as `router.providers.Provider` wants it."""

    name: str = "blockatm"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    # Retries come after 1 min, 5 min, 30 min, 2 h and 24 h, 26 h 36 min in all (BlockATM docs,
    # webhooks/verification.md). Whether each is signed afresh is not said: none may be stale.
    tolerance: timedelta = timedelta(hours=27)
    answer: Answer = _ANSWER
    kinds: Mapping[str, Sequence[str]] = field(default_factory=_simulated.kinds)

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        return _signature.verify(delivery, keys)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event of the delivery, or raise Unreadable or NotUnderstood."""
        return (_meaning.normalize(verified),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        return _simulated.simulate(wanted, key, target)


PROVIDER = BlockATM()
