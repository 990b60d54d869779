"""Headers of every answer, and which hosts and origins a request may name."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from router.configuration.process_settings import ConsoleSettings

_DIRECTIVES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
)
POLICY: Final = "; ".join(_DIRECTIVES)

SECURE: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With no-referrer, browsers send `Origin: null` with the console's own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}

NOT_KEPT: Final = "no-store"
KEPT: Final = "private, max-age=31536000, immutable"

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's loopback interface."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def known_hosts(settings: ConsoleSettings) -> frozenset[str]:
    """Return the host names under which the console answers."""
    own: Iterable[str | None] = (
        urlsplit(settings.public_url).hostname if settings.public_url else None,
        settings.host,
        *settings.allowed_hosts,
        *_LOOPBACK_NAMES,
    )
    return frozenset(name.lower() for name in own if name)


def host_of(header: str) -> str:
    """Return the host name of a Host header without its port, empty if it has none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def is_own_origin(origin: str | None, site: str | None, host: str, public: str | None) -> bool:
    """Return whether the headers Origin or Sec-Fetch-Site show that a form is the console's own.

    Browsers send at least one of them with a form; a request with neither is refused.
    """
    if origin is not None:
        parts = urlsplit(origin)
        known = {host.lower(), urlsplit(public).netloc.lower() if public else ""}
        return parts.scheme in {"http", "https"} and parts.netloc.lower() in known
    return site == "same-origin"
