"""Sends one message by a configured Apprise URL.

Apprise returns only success or failure and logs the reason, with addresses and
parts of the URL. Its log lines are never passed on: results carry our own texts.
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

from consumers.notifications.sending.addresses import mailbox
from consumers.notifications.sending.rendering import Rendered

KEY_HEADER = "Idempotency-Key"
MAIL_KEY_HEADER = "X-Idempotency-Key"
"""Header for the key of a mail: Apprise generates a new Message-ID for every attempt."""

_MAIL = frozenset({"mailto", "mailtos"})
_TAKES_HEADERS = frozenset({"json", "jsons", "form", "forms", "xml", "xmls"})


class ChannelError(Exception):
    """An unusable URL; the message does not repeat it."""


class SendStatus(Enum):
    """Status of an attempt to send a message."""

    SENT = "sent"
    RETRY = "retry"
    """The attempt failed; try again."""
    REFUSED = "refused"
    """The receiver will never accept this message."""


@dataclass(frozen=True)
class SendResult:
    """Result of an attempt, with a reason that contains no address and no part of the URL."""

    status: SendStatus
    why: str = ""


@dataclass(frozen=True)
class AppriseChannel:
    """A channel to an outside service, by an Apprise URL."""

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        """Check the URL. Raises ChannelError if Apprise does not support it."""
        _capture_logs()
        if len(Apprise(self.url, asset=_asset())) != 1 or self._plugin({}) is None:
            message = "not an Apprise URL supported by this version, such as mailtos://…"
            raise ChannelError(message)

    @property
    def schema(self) -> str:
        """`mailtos`, `jsons`, `slack` and so on."""
        return self.url.partition("://")[0].lower()

    @cached_property
    def addressed(self) -> bool:
        """Whether every message needs an address: a mail URL without a recipient."""
        if self.schema not in _MAIL:
            return False
        plugin = self._plugin({})
        parts = None if plugin is None else plugin.parse_url(self.url)
        return parts is not None and not parts["targets"]

    def send(self, rendered: Rendered, key: str, address: str | None, seconds: float) -> SendResult:
        """Send one message in the caller's thread; return the result."""
        plugin = self._plugin(self._extras(key))
        if plugin is None:
            return SendResult(SendStatus.RETRY, "the channel's URL is no longer valid")
        if self.addressed:
            if address is None or mailbox(address) is None:
                return SendResult(SendStatus.REFUSED, "the address is not a single plain mailbox")
            # Not in the URL: Apprise would parse o'brien@example.com as brien@example.com.
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
                return SendResult(SendStatus.SENT)
            return explain_failure(entry.message for entry in result.logs())

    def _extras(self, key: str) -> Mapping[str, str]:
        """Return the URL's query parameters for this message: its idempotency key as a header."""
        if self.schema in _TAKES_HEADERS:
            return {f"+{KEY_HEADER}": key}
        return {f"+{MAIL_KEY_HEADER}": key} if self.schema in _MAIL else {}

    def _plugin(self, extras: Mapping[str, str]) -> NotifyBase | None:
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in extras.items())
        joint = "&" if "?" in self.url else "?"
        url = f"{self.url}{joint}{query}" if query else self.url
        plugin = Apprise.instantiate(url, asset=_asset())
        return plugin if isinstance(plugin, NotifyBase) else None


def explain_failure(lines: Iterable[str]) -> SendResult:
    """Find in Apprise's log why a message failed: an HTTP or SMTP status, or a known error."""
    text = "\n".join(lines)
    if match := _HTTP.search(text):
        code = int(match[1])
        status = SendStatus.REFUSED if code in _ABOUT_THE_MESSAGE else SendStatus.RETRY
        return SendResult(status, f"HTTP {code}")
    if match := _SMTP.search(text):
        # A refusal during connection concerns our password or policy, not the message.
        refused = match[1].startswith("5") and _CONNECTING not in text
        return SendResult(SendStatus.REFUSED if refused else SendStatus.RETRY, f"SMTP {match[1]}")
    for pattern, words in _KNOWN:
        if pattern.search(text):
            return SendResult(SendStatus.RETRY, words)
    return SendResult(SendStatus.RETRY, "not delivered; Apprise gives no known reason")


_HTTP = re.compile(r"\berror=(\d{3})\b")
_SMTP = re.compile(r"\((\d{3}), b['\"]|refused: (?=(\d{3}) )")
_CONNECTING = "Connection error while submitting"
_ABOUT_THE_MESSAGE = frozenset({400, 410, 413, 414, 415, 422})
"""Statuses about the message itself. Others may be temporary or our own fault: they are retried."""

_KNOWN = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"timed? ?out", "no answer in time"),
        (r"refused", "connection refused"),
        (r"getaddrinfo|resol|not known|no address", "host not found"),
        (r"certificate|ssl|tls", "secure connection failed"),
        (r"reset|closed|aborted|disconnected|broken pipe", "connection lost"),
        (r"unreachable|no route", "host not reachable"),
    )
)


def _asset() -> AppriseAsset:
    """Return settings that disable disk storage, redirects, threads and rewriting of texts."""
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


def _capture_logs() -> None:
    """Keep Apprise's log lines out of our log, but capture all: they name recipients and URLs."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.setLevel(logging.DEBUG)
    if not log.handlers:
        log.addHandler(logging.NullHandler())
