"""The order's number in the callback URL, which a POST does not sign.

Whoever knows the URL could put another number there, so on POST it counts
only with an HMAC of it under a secret of the endpoint. `payrouter endpoint
url --order` writes such URLs.
"""

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from router.errors import ConfigurationError
from router.providers import Key
from router.providers._reading import as_text
from router.providers._signing import hmac_sha256
from router.providers.blockbee._fields import single
from router.providers.blockbee._options import Endpoint

_DOMAIN = b"payrouter order reference"

_TRIED = 8
"""Values of a parameter that are looked at: a URL that `endpoint url` wrote has one."""


def order_query(endpoint: Endpoint, reference: str) -> str:
    """Write the query of one order's callback URL, or raise ConfigurationError."""
    if not endpoint.place.keys:
        message = "secrets: needed to sign the order's number in its URL"
        raise ConfigurationError(message)
    name = endpoint.options.reference_parameter
    mac = _mac(endpoint.place.keys[0], endpoint, reference)
    return urlencode({name: reference, f"{name}_mac": mac})


def signed_reference(
    endpoint: Endpoint, query: Mapping[str, Sequence[str]], *, url_is_signed: bool
) -> str | None:
    """Return the order's number as far as it may be believed; `query` is that of the URL.

    Where the URL has the parameter with several values, the one that
    `payrouter endpoint url` wrote is the order's: its HMAC says so. Raises
    NotUnderstood where a signed URL has several and none is proved.
    """
    name = endpoint.options.reference_parameter
    given, macs = _texts(query, name), _texts(query, f"{name}_mac")
    proved = [text for text in given if _is_proved(endpoint, text, macs)]
    if len(proved) == 1:
        return as_text(name, proved[0])
    return single(query).text(name) if url_is_signed else None


def _texts(query: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    """Return the first few different texts of a parameter."""
    return list(dict.fromkeys(filter(None, query.get(name, ()))))[:_TRIED]


def _is_proved(endpoint: Endpoint, reference: str, macs: Sequence[str]) -> bool:
    given = [text.encode("utf-8", "replace") for text in macs]
    own = [_mac(key, endpoint, reference).encode() for key in endpoint.place.keys]
    return any(hmac.compare_digest(mine, theirs) for mine in own for theirs in given)


def _mac(key: Key, endpoint: Endpoint, reference: str) -> str:
    said = reference.encode("utf-8", "surrogatepass")
    message = b"\0".join((_DOMAIN, endpoint.place.name.encode(), said))
    return hmac_sha256(key.secret, message).hex()
