"""The order's number in the callback URL, which a POST does not sign.

Whoever knows the URL could put another number there, so on POST it counts
only with an HMAC of it under a secret of the endpoint. `payrouter endpoint
url --order` writes such URLs.
"""

import hmac
from collections.abc import Sequence
from urllib.parse import urlencode

from router.contract.strict_json import JsonValue
from router.errors import ConfigurationError
from router.providers import Key
from router.providers._signing import hmac_sha256
from router.providers.blockbee._fields import Fields
from router.providers.blockbee._options import Endpoint

_DOMAIN = b"payrouter order reference"


def order_query(endpoint: Endpoint, reference: str) -> str:
    """Write the query of one order's callback URL, or raise ConfigurationError."""
    if not endpoint.place.keys:
        message = "secrets: needed to sign the order's number in its URL"
        raise ConfigurationError(message)
    name = endpoint.options.reference_parameter
    mac = _mac(endpoint.place.keys[0], endpoint, reference)
    return urlencode({name: reference, f"{name}_mac": mac})


def signed_reference(endpoint: Endpoint, fields: Fields, *, url_is_signed: bool) -> str | None:
    """Return the order's number as far as it may be believed; `fields` are those of the URL."""
    name = endpoint.options.reference_parameter
    reference = fields.text(name) if url_is_signed else _text(fields.members.get(name, ()))
    if reference is None or url_is_signed:
        return reference
    given = (_text(fields.members.get(f"{name}_mac", ())) or "").encode("utf-8", "replace")
    macs = [_mac(key, endpoint, reference).encode() for key in endpoint.place.keys]
    held = [hmac.compare_digest(mac, given) for mac in macs]
    return fields.text(name) if any(held) else None


def _text(values: Sequence[JsonValue]) -> str | None:
    return values[0] if len(values) == 1 and isinstance(values[0], str) else None


def _mac(key: Key, endpoint: Endpoint, reference: str) -> str:
    said = reference.encode("utf-8", "surrogatepass")
    message = b"\0".join((_DOMAIN, endpoint.place.name.encode(), said))
    return hmac_sha256(key.secret, message).hex()
