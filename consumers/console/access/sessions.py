"""Sign-ins: cookies that are signed, expire, and can be ended."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer

from consumers.console.access.people import People
from consumers.console.access.viewer import Viewer

_MOST_ENDED: Final = 100_000


class SessionProblem(StrEnum):
    """Why a session is refused."""

    FORGED = "forged"
    """Altered, or signed with another secret."""
    EXPIRED = "expired"
    ENDED = "ended"
    """Its person signed out."""
    REMOVED = "removed"
    """Its person has no role any longer, or another password."""


class SessionRefused(Exception):  # noqa: N818 - named for what it is
    """A session cookie that admits no one."""

    def __init__(self, why: SessionProblem) -> None:
        """Keep the reason."""
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class ConsoleSession:
    """One sign-in. Times are Unix time in seconds."""

    id: str
    name: str
    groups: Sequence[str]
    began: int
    seen: int
    proof: str
    """Digest of the password's hash: another password ends the session. Empty with OIDC."""


@dataclass(frozen=True)
class SessionLimits:
    """Longest duration of a session in seconds: without a request, and at all."""

    idle: int
    whole: int


@dataclass
class Sessions:
    """Writes and reads the cookies of sessions; keeps those that were ended until they expire."""

    secret: str = field(repr=False)
    limits: SessionLimits
    people: People
    ended: dict[str, int] = field(default_factory=dict)

    def by_password(self, name: str, now: int) -> ConsoleSession:
        """Make a session of someone who gave the password; another password ends it."""
        return ConsoleSession(secrets.token_urlsafe(18), name, (), now, now, self._proof(name))

    def by_provider(self, name: str, groups: Sequence[str], now: int) -> ConsoleSession:
        """Make a session of someone whom an OIDC provider named."""
        return ConsoleSession(secrets.token_urlsafe(18), name, tuple(groups), now, now, "")

    def cookie(self, session: ConsoleSession) -> str:
        """Return the signed text of a session."""
        packed = [session.id, session.name, list(session.groups), session.began, session.seen]
        return str(self._signer().dumps([*packed, session.proof]))

    def read(self, cookie: str, now: int) -> tuple[ConsoleSession, Viewer]:
        """Return a session and its person as the configuration is now; raises SessionRefused."""
        session = self._unpacked(cookie)
        limits = self.limits
        if now - session.seen > limits.idle or now - session.began > limits.whole:
            raise SessionRefused(SessionProblem.EXPIRED)
        if session.id in self.ended:
            raise SessionRefused(SessionProblem.ENDED)
        viewer = self.people.named(session.name, session.groups)
        if viewer is None or session.proof != self._proof_for(session):
            raise SessionRefused(SessionProblem.REMOVED)
        return session, viewer

    def renewed(self, session: ConsoleSession, now: int) -> ConsoleSession:
        """Return a session that was used now."""
        return replace(session, seen=now)

    def end(self, session: ConsoleSession, now: int) -> None:
        """End a session: its cookie is refused from now on."""
        oldest = now - self.limits.whole
        for other in [key for key, began in self.ended.items() if began < oldest]:
            del self.ended[other]
        if len(self.ended) >= _MOST_ENDED:
            del self.ended[next(iter(self.ended))]
        self.ended[session.id] = session.began

    def _unpacked(self, cookie: str) -> ConsoleSession:
        try:
            packed: Any = self._signer().loads(cookie)
            identity, name, groups, began, seen, proof = packed
        except (BadSignature, ValueError, TypeError):
            raise SessionRefused(SessionProblem.FORGED) from None
        return ConsoleSession(identity, name, tuple(groups), began, seen, proof)

    def _proof_for(self, session: ConsoleSession) -> str:
        return self._proof(session.name) if session.proof else ""

    def _proof(self, name: str) -> str:
        kept = self.people.password_hash(name)
        return hashlib.sha256(kept.encode()).hexdigest()[:16] if kept else ""

    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="payrouter console session")
