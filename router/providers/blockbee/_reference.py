"""The order's number in the callback URL, which is not signed under POST.

Anyone who knows the URL could put another number there, so under POST it is
used only with an HMAC of it, made with a secret of the endpoint. `payrouter
endpoint url --order` writes such URLs.
"""

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from router.errors import ConfigurationError
from router.providers import Key
from router.providers._reading import as_text
from router.providers._signing import hmac_sha256
from router.providers.blockbee._fields import single
from router.providers.blockbee._options import BlockBeeEndpoint

_DOMAIN = b"payrouter order reference"

_TRIED = 8
"""Most values of a parameter that are checked: a URL written by `endpoint url` has one."""


def order_query(endpoint: BlockBeeEndpoint, reference: str) -> str:
    """Return the query of one order's callback URL, or raise ConfigurationError."""
    if not endpoint.context.keys:
        message = "secrets: needed to sign the order's number in its URL"
        raise ConfigurationError(message)
    name = endpoint.options.reference_parameter
    mac = _mac(endpoint.context.keys[0], endpoint, reference)
    return urlencode({name: reference, f"{name}_mac": mac})


def signed_reference(
    endpoint: BlockBeeEndpoint, query: Mapping[str, Sequence[str]], *, url_is_signed: bool
) -> str | None:
    """Return the order's number, None if it is not signed; `query` is that of the URL.

    If the parameter has several values in the URL, the one with a valid HMAC,
    written by `payrouter endpoint url`, is used. Raises NotUnderstood if a
    signed URL has several values and none has a valid HMAC.
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


def _is_proved(endpoint: BlockBeeEndpoint, reference: str, macs: Sequence[str]) -> bool:
    given = [text.encode("utf-8", "replace") for text in macs]
    expected = [_mac(key, endpoint, reference).encode() for key in endpoint.context.keys]
    return any(hmac.compare_digest(own, other) for own in expected for other in given)


def _mac(key: Key, endpoint: BlockBeeEndpoint, reference: str) -> str:
    number = reference.encode("utf-8", "surrogatepass")
    message = b"\0".join((_DOMAIN, endpoint.context.name.encode(), number))
    return hmac_sha256(key.secret, message).hex()
