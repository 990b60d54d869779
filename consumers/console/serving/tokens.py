"""Signed texts of the console: tokens of forms, and a message that is shown once."""

import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

from itsdangerous import BadSignature, URLSafeTimedSerializer

_MESSAGE_SECONDS = 60


@dataclass(frozen=True)
class ConsoleTokens:
    """Makes and checks tokens with the console's secret."""

    secret: str = field(repr=False)

    def new_browser(self) -> str:
        """Return a new random name of a browser, for its cookie."""
        return secrets.token_urlsafe(18)

    def csrf(self, browser: str, viewer: str) -> str:
        """Return the token of the forms of someone in a browser."""
        text = f"{browser}\n{viewer}".encode()
        return hmac.new(self.secret.encode(), b"csrf\n" + text, sha256).hexdigest()

    def is_csrf(self, given: str, browser: str, viewer: str) -> bool:
        """Return whether a form sent the token of its person and browser."""
        return bool(browser) and hmac.compare_digest(
            given.encode(), self.csrf(browser, viewer).encode()
        )

    def message(self, text: str) -> str:
        """Return a text, signed, for a cookie."""
        return str(self._messages().dumps(text))

    def read_message(self, cookie: str) -> str:
        """Return the text of a cookie, empty if it was altered or is old."""
        try:
            return str(self._messages().loads(cookie, max_age=_MESSAGE_SECONDS))
        except BadSignature:
            return ""

    def _messages(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="payrouter console message")
