"""The way out: one message by an Apprise URL of the configuration, and what came of it.

Apprise says yes or no and logs why, with addresses and pieces of the URL. None
of its lines is passed on: what came of a message is said in words of our own.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from urllib.parse import quote

from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.plugins import NotifyBase

from consumers.notifications.addresses import mailbox
from consumers.notifications.rendering import Rendered

KEY_HEADER = "Idempotency-Key"
MAIL_KEY_HEADER = "X-Idempotency-Key"
"""A mail's Message-ID is Apprise's own and new for every try, so the key has its own header."""

_MAIL = frozenset({"mailto", "mailtos"})
_TAKES_HEADERS = frozenset({"json", "jsons", "form", "forms", "xml", "xmls"})


class ChannelError(Exception):
    """A URL leads nowhere; the message does not repeat it."""


class Sending(Enum):
    """What came of a try."""

    SENT = "sent"
    AGAIN = "again"
    """It did not work this time."""
    REFUSED = "refused"
    """This message never will be taken: the receiver said so."""


@dataclass(frozen=True)
class Told:
    """What came of a try, and why; the words hold no address and nothing of the URL."""

    fate: Sending
    why: str = ""


@dataclass(frozen=True)
class Outside:
    """A channel that leaves the machine."""

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no Apprise URL. Raises ChannelError."""
        _keep_quiet()
        if len(Apprise(self.url, asset=_asset())) != 1 or self._plugin({}) is None:
            message = "no Apprise URL that this version of Apprise knows, such as mailtos://…"
            raise ChannelError(message)

    @property
    def schema(self) -> str:
        """`mailtos`, `jsons`, `slack` and so on."""
        return self.url.partition("://")[0].lower()

    @cached_property
    def addressed(self) -> bool:
        """Whether every message has to say its recipient: mail whose URL names none."""
        if self.schema not in _MAIL:
            return False
        plugin = self._plugin({})
        parts = None if plugin is None else plugin.parse_url(self.url)
        return parts is not None and not parts["targets"]

    def send(self, rendered: Rendered, key: str, address: str | None, seconds: float) -> Told:
        """Send one message, in the thread of the caller, and say what came of it."""
        plugin = self._plugin(self._extras(key))
        if plugin is None:
            return Told(Sending.AGAIN, "the channel's URL is not understood any more")
        if self.addressed:
            if address is None or mailbox(address) is None:
                return Told(Sending.REFUSED, "the address is not one plain mailbox")
            # Not by the URL: of o'brien@example.com Apprise would read brien@example.com.
            vars(plugin)["targets"] = [(False, address)]
        plugin.socket_connect_timeout = plugin.socket_read_timeout = seconds
        apprise = Apprise(asset=_asset())
        apprise.add(plugin)
        html = rendered.html if self.schema in _MAIL else None
        with apprise.notify(
            title=rendered.subject,
            body=html or rendered.body,
            body_format=NotifyFormat.HTML if html else NotifyFormat.TEXT,
            log_level=logging.DEBUG,
        ) as result:
            if result:
                return Told(Sending.SENT)
            return explained(entry.message for entry in result.logs())

    def _extras(self, key: str) -> Mapping[str, str]:
        """Return what this message adds to the URL's query."""
        if self.schema in _TAKES_HEADERS:
            return {f"+{KEY_HEADER}": key}
        return {f"+{MAIL_KEY_HEADER}": key} if self.schema in _MAIL else {}

    def _plugin(self, extras: Mapping[str, str]) -> NotifyBase | None:
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in extras.items())
        joint = "&" if "?" in self.url else "?"
        url = f"{self.url}{joint}{query}" if query else self.url
        plugin = Apprise.instantiate(url, asset=_asset())
        return plugin if isinstance(plugin, NotifyBase) else None


def explained(lines: Iterable[str]) -> Told:
    """Find in Apprise's log why a message did not go: a status, or a known kind of failure."""
    text = "\n".join(lines)
    if match := _HTTP.search(text):
        status = int(match[1])
        fate = Sending.REFUSED if status in _ABOUT_THE_MESSAGE else Sending.AGAIN
        return Told(fate, f"HTTP {status}")
    if match := _SMTP.search(text):
        # While connecting it is about us: a password, a policy.
        refused = match[1].startswith("5") and _CONNECTING not in text
        return Told(Sending.REFUSED if refused else Sending.AGAIN, f"SMTP {match[1]}")
    for pattern, words in _KNOWN:
        if pattern.search(text):
            return Told(Sending.AGAIN, words)
    return Told(Sending.AGAIN, "not taken, for a reason Apprise does not say")


_HTTP = re.compile(r"\berror=(\d{3})\b")
_SMTP = re.compile(r"\((\d{3}), b['\"]|refused: (?=(\d{3}) )")
_CONNECTING = "Connection error while submitting"
_ABOUT_THE_MESSAGE = frozenset({400, 410, 413, 414, 415, 422})
"""Every other status may be about us or about the moment, and is tried again."""

_KNOWN = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"timed? ?out", "no answer in time"),
        (r"refused", "connection refused"),
        (r"getaddrinfo|resol|not known|no address", "host not found"),
        (r"certificate|ssl|tls", "no secure connection"),
        (r"reset|closed|aborted|disconnected|broken pipe", "connection broken off"),
        (r"unreachable|no route", "host not reachable"),
    )
)


def _asset() -> AppriseAsset:
    """Nothing on disk, no redirect to elsewhere, no thread of its own, no text rewritten."""
    return AppriseAsset(
        app_id="payrouter",
        app_desc="payrouter",
        storage_mode="memory",
        service_timeout=0,
        http_redirects=False,
        allow_templates=False,
        interpret_escapes=False,
        pgp_autogen=False,
        pem_autogen=False,
    )


def _keep_quiet() -> None:
    """Keep Apprise's log lines, which name recipients and URLs, out of ours; read them all."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    if not log.handlers:
        log.addHandler(logging.NullHandler())
