"""BlockATM: payments into cashiers and payouts from contracts.

Version 2 is signed with the webhook key of the cashier or payout contract.
Version 1 (ECDSA, `BlockATM-Signature-V1`, batches of payouts) is accepted if
the endpoint has the platform's public key. Sources, cited next to the facts:
the pages of github.com/BlockATMOnLine/docs ("BlockATM docs"), of its
predecessor BlockATM_V2, the Java of BlockATMOnLine/sign-demo, and
blockatm.readme.io for version 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pydantic import BaseModel, Field

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.errors import ConfigurationError
from router.providers import OPTIONS, Answer, EndpointContext, Example, Key, Simulation, TextList
from router.providers._signing import public_key
from router.providers.blockatm import _meaning, _signature, _simulated, _version1

# Any 200 is accepted; the body is that of the samples (BlockATM docs, webhooks/README.md).
_ANSWER = Answer(200, "text/plain", b"OK")


class BlockATMOptions(BaseModel):
    """BlockATM: payments into cashiers, and payouts from contracts."""

    model_config = OPTIONS

    v1_public_keys: TextList = Field(
        (),
        description="The platform's public keys (P-256, PEM), to accept deliveries of version 1.",
        examples=[["-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n"]],
    )


@dataclass(frozen=True)
class BlockATM:
    """The provider, a `router.providers.Provider`."""

    name: str = "blockatm"
    methods: frozenset[str] = frozenset({"POST"})
    content_types: frozenset[str] = frozenset({"application/json"})
    # Retries follow after 1 min, 5 min, 30 min, 2 h and 24 h, 26 h 36 min in all (BlockATM docs,
    # webhooks/verification.md). Whether each is signed again is undocumented: none may be stale.
    tolerance: timedelta = timedelta(hours=27)
    answer: Answer = _ANSWER
    kinds: Mapping[str, Sequence[str]] = field(default_factory=_simulated.kinds)

    options: type[BlockATMOptions] = BlockATMOptions
    public_keys: Sequence[Key] = ()

    def configured(self, options: BlockATMOptions, _context: EndpointContext) -> "BlockATM":
        """Return the provider with the platform's keys of version 1, if any."""
        try:
            keys = [public_key(text, "P-256") for text in options.v1_public_keys]
        except ValueError as error:
            message = f"v1_public_keys: {error}"
            raise ConfigurationError(message) from None
        return replace(self, public_keys=tuple(keys))

    def example(self) -> Example:
        """Return no settings: version 2, used for evaluation, needs only a secret."""
        return Example()

    def verify(self, delivery: Delivery, keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        return _signature.verify(delivery, keys, self.public_keys)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the events of the delivery, or raise NotUnderstood."""
        if verified.verification.scheme == _signature.V1:
            return _version1.normalize(verified)
        return (_meaning.normalize(verified),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery; a kind or status that is not in `kinds` is a KeyError."""
        return _simulated.simulate(wanted, key, target)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign time and raw body as in version 2."""
        return _simulated.signed(delivery, key)


PROVIDER = BlockATM()
