"""BlockBee, and CryptAPI, which signs in the same way: payments, payouts and subscriptions.

One key signs for every merchant and no message names the merchant: a genuine
delivery may be another merchant's. So an endpoint has a URL token, and may
list the addresses and payments that it expects. Sources, cited next to the
facts: docs.blockbee.io/webhooks ("BlockBee docs"), docs.cryptapi.io, and the
vendor's own shop plugins.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.errors import ConfigurationError
from router.providers import Answer, EndpointContext, Example, Key, Simulation
from router.providers._signing import new_rsa_key, public_key
from router.providers.blockbee import _body, _meaning, _signature, _simulated
from router.providers.blockbee._options import FIELDS, BlockBeeEndpoint, BlockBeeOptions
from router.providers.blockbee._reference import order_query

# Only these bytes are sure to stop the retries (BlockBee docs, how-webhooks-work).
_ANSWER = Answer(200, "text/plain", b"*ok*")

# The current list of the docs, and 145.239.119.223 from the older docs.
_ADDRESSES = ("51.77.105.132", "135.125.112.47", "145.239.119.223")


@dataclass(frozen=True)
class BlockBee:
    """The provider, a `router.providers.Provider`, with the options of its endpoint."""

    name: str = "blockbee"
    methods: frozenset[str] = frozenset({"GET", "POST"})
    content_types: frozenset[str] = frozenset(_body.CONTENT_TYPES)
    # No time is signed: only the event id identifies a repeated delivery.
    tolerance: None = None
    answer: Answer = _ANSWER
    addresses: Sequence[str] = _ADDRESSES
    kinds: Mapping[str, Sequence[str]] = field(default_factory=_simulated.kinds)
    variants: Mapping[str, Sequence[str]] = field(default_factory=_simulated.variants)
    options: type[BlockBeeOptions] = BlockBeeOptions
    public_keys: Sequence[Key] = ()
    endpoint: BlockBeeEndpoint = field(default_factory=BlockBeeEndpoint)

    def configured(self, options: BlockBeeOptions, context: EndpointContext) -> "BlockBee":
        """Return the provider configured for one endpoint, or raise ConfigurationError."""
        if context.token is None:
            message = "token: required, since BlockBee signs for every merchant with one key"
            raise ConfigurationError(message)
        if context.public_url is None:
            message = "public_url: required here or under [edge], since BlockBee signs the URL"
            raise ConfigurationError(message)
        try:
            keys = tuple(public_key(text, "RSA") for text in options.public_keys)
        except ValueError as error:
            message = f"public_keys: {error}"
            raise ConfigurationError(message) from None
        return replace(self, public_keys=keys, endpoint=BlockBeeEndpoint(options, context))

    def example(self) -> Example:
        """Make a token, and a key pair whose private key signs simulated deliveries."""
        private, public = new_rsa_key()
        settings = {"token": secrets.token_urlsafe(24), "public_keys": [public]}
        return Example(settings, private)

    @property
    def reserved(self) -> frozenset[str]:
        """BlockBee's own fields, and the parameters with the order's number and its HMAC."""
        name = self.endpoint.options.reference_parameter
        return FIELDS | {name, f"{name}_mac"}

    def order_query(self, reference: str) -> str:
        """Return the query of the callback URL of one order."""
        return order_query(self.endpoint, reference)

    def verify(self, delivery: Delivery, _keys: Sequence[Key]) -> VerifiedDelivery:
        """Return the delivery as verified, or raise Unauthentic."""
        return _signature.verify(delivery, self.public_keys, self.endpoint.context)

    def normalize(self, verified: VerifiedDelivery) -> Sequence[Event]:
        """Return the one event, or raise NotUnderstood."""
        return (_meaning.normalize(verified, self.endpoint),)

    def simulate(self, wanted: Simulation, key: Key, target: str) -> Delivery:
        """Make a genuine delivery with a private key in PEM; raises ConfigurationError without."""
        return _simulated.simulate(wanted, key, target, self.endpoint)

    def sign(self, delivery: Delivery, key: Key) -> Delivery:
        """Sign the URL of a GET or the body of a POST with a private key in PEM."""
        return _simulated.signed(delivery, key, self.endpoint)


PROVIDER = BlockBee()
