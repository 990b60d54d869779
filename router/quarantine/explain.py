"""Explains step by step why a captured request verifies or does not; shows no secret."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.edge.intake import Endpoint, events_of, outside_window
from router.errors import IgnoredEvent, NotUnderstood, RefusedDelivery
from router.providers import Asymmetric
from router.providers._signing import FormMade, HeaderRead, KeyTried, VerificationNote, watched

_SHOWN = 600
_VALUE_SHOWN = 8
_SHORT = 40


@dataclass(frozen=True)
class Step:
    """One step: what was checked, what was found, whether it is good (None: neither).

    `content` is a part of the request itself, which may hold personal data.
    """

    what: str
    found: str
    good: bool | None = None
    content: str | None = None

    @property
    def whole(self) -> str:
        """What was found, with the part of the request."""
        return self.found if self.content is None else f"{self.found}: {self.content}"

    def as_json(self) -> dict[str, object]:
        """Return the step as a JSON object."""
        return {"what": self.what, "found": self.whole, "good": self.good}


@dataclass(frozen=True)
class Explanation:
    """All steps, and whether the edge would have accepted the request."""

    verified: bool
    steps: Sequence[Step]


def headers_read(delivery: Delivery, endpoint: Endpoint) -> Sequence[str]:
    """Return the values of the headers that a provider reads to verify a delivery."""
    _, seen, _ = _verified(endpoint, delivery)
    return [value for one in seen if isinstance(one, HeaderRead) for value in one.values]


def explain_incomplete(
    delivery: Delivery, endpoint: Endpoint, missing: str, token: str | None
) -> Explanation:
    """Explain a delivery whose signature cannot be recomputed, for the reason in `missing`.

    Shows its request and the headers that its provider reads, but no signed
    bytes and no key, since both would be those of another request.
    """
    shown = [step for step in _request(delivery, endpoint) if step.what != "body"]
    _, seen, _ = _verified(endpoint, delivery)
    shown += [step for one in seen if isinstance(one, HeaderRead) for step in _steps(one, token)]
    shown.append(Step("signature", f"cannot be recomputed: {missing}", good=False))
    return Explanation(verified=False, steps=_hidden(shown, token))


def explain(delivery: Delivery, endpoint: Endpoint, at: datetime, token: str | None) -> Explanation:
    """Verify as the edge does and return each step; `token` is masked everywhere."""
    steps = list(_request(delivery, endpoint))
    verified, seen, problem = _verified(endpoint, delivery)
    steps += [step for one in seen for step in _steps(one, token)]
    if verified is None:
        steps.append(Step("signature", problem, good=False))
        steps += _hints(endpoint, delivery)
        return Explanation(verified=False, steps=_hidden(steps, token))
    name = f"{verified.verification.scheme} with {verified.verification.key}"
    steps.append(Step("signature", f"valid: {name}", good=True))
    window = _window(verified, endpoint, at)
    steps += [window, _meaning(verified, endpoint)]
    return Explanation(all(step.good for step in steps[-2:]), _hidden(steps, token))


def _request(delivery: Delivery, endpoint: Endpoint) -> Iterator[Step]:
    path, mark, query = delivery.target.partition("?")
    if path == endpoint.target:
        # A query may hold what other requests have in their body.
        yield Step(
            "request", f"{delivery.method} {path}", good=True, content=query if mark else None
        )
    else:
        detail = f"is not the URL of endpoint {endpoint.name}: the edge would answer 404"
        yield Step("request", f"{delivery.method} {path} {detail}", good=False)
    good = delivery.method in endpoint.provider.methods
    methods = ", ".join(sorted(endpoint.provider.methods))
    yield Step("method", f"{endpoint.provider.name} uses {methods}", good=good)
    digest = hashlib.sha256(delivery.body).hexdigest()
    yield Step("body", f"{len(delivery.body)} bytes, SHA-256 {digest}")
    keys = [key.fingerprint for key in endpoint.keys]
    if isinstance(endpoint.provider, Asymmetric):
        keys += [f"{key.fingerprint} (public)" for key in endpoint.provider.public_keys]
    yield Step("keys", ", ".join(keys) or "none", good=bool(keys))


def _verified(
    endpoint: Endpoint, delivery: Delivery
) -> tuple[VerifiedDelivery | None, Sequence[VerificationNote], str]:
    with watched() as seen:
        try:
            return endpoint.provider.verify(delivery, endpoint.keys), seen, ""
        except RefusedDelivery as problem:
            return None, seen, str(problem)


def _steps(one: VerificationNote, token: str | None) -> Iterator[Step]:
    if isinstance(one, HeaderRead):
        values = ", ".join(_shortened(value) for value in one.values)
        count = len(one.values)
        found = values if count == 1 else f"occurs {count} times"
        yield Step(f"header {one.name}", found if count else "missing", good=count == 1)
    elif isinstance(one, FormMade) and one.message is None:
        yield Step(f"form {one.scheme}", "cannot be made from this body")
    elif isinstance(one, FormMade) and one.message is not None:
        yield _form(one.scheme, one.message, token)
    elif isinstance(one, KeyTried):
        expected = f", which would begin {one.expected}… (hex)" if one.expected else ""
        word = "made this signature" if one.held else f"did not make this signature{expected}"
        yield Step(f"key {one.fingerprint}", word, good=one.held or None)


def _shortened(value: str) -> str:
    # A signature is shown by its first characters, a time in full.
    if len(value) <= _SHORT:
        return value
    return f"{value[:_VALUE_SHOWN]}… ({len(value)} characters)"


def _form(scheme: str, message: bytes, token: str | None) -> Step:
    digest = hashlib.sha256(message).hexdigest()
    # Mask the token before cutting: the cut could leave the beginning of it.
    bare = message if token is None else message.replace(token.encode(), b"{token}")
    text = bare[:_SHOWN].decode("utf-8", "backslashreplace")
    shown = json.dumps(text, ensure_ascii=False)
    rest = f" … and {len(bare) - _SHOWN} more" if len(bare) > _SHOWN else ""
    found = f"{len(message)} bytes, SHA-256 {digest}"
    return Step(f"form {scheme}", found, content=f"{shown}{rest}")


_CHANGES: Sequence[tuple[str, Callable[[bytes], bytes]]] = (
    ("without the line end after the body", lambda body: body.rstrip(b"\r\n")),
    ("with a line feed after the body", lambda body: body + b"\n"),
    ("with CR LF instead of LF", lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")),
    ("with LF instead of CR LF", lambda body: body.replace(b"\r\n", b"\n")),
    ("with the body as compact JSON", lambda body: _rewritten(body, (",", ":"))),
    ("with the body as JSON with spaces", lambda body: _rewritten(body, (", ", ": "))),
    ("without a byte order mark", lambda body: body.removeprefix(b"\xef\xbb\xbf")),
)


def _rewritten(body: bytes, separators: tuple[str, str]) -> bytes:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=separators).encode()
    except (ValueError, RecursionError):
        return body


def _hints(endpoint: Endpoint, delivery: Delivery) -> Iterator[Step]:
    """Yield a hint for each common change that makes the body verify once it is undone."""
    for words, change in _CHANGES:
        changed = replace(delivery, body=change(delivery.body))
        if changed.body != delivery.body and _verified(endpoint, changed)[0] is not None:
            yield Step("hint", f"{words} it would verify: something rewrote the body in transit")


def _window(verified: VerifiedDelivery, endpoint: Endpoint, at: datetime) -> Step:
    if verified.signed_at is None:
        return Step("time", "none is signed; the event id identifies a replay", good=True)
    problem = outside_window(verified, endpoint.tolerance, at)
    seconds = (at - verified.signed_at).total_seconds()
    side = "before" if seconds >= 0 else "after"
    found = f"signed {verified.signed_at.isoformat()}, {abs(seconds):.0f} s {side} {at.isoformat()}"
    if problem is not None:
        return Step("time", f"{found}: {problem.detail}", good=False)
    return Step("time", f"{found}, within the window", good=True)


def _meaning(verified: VerifiedDelivery, endpoint: Endpoint) -> Step:
    try:
        events = events_of(verified, endpoint)
    except NotUnderstood as problem:
        more = f"; {len(problem.events)} events are published" if problem.events else ""
        return Step("meaning", f"quarantine, {problem}{more}", good=True)
    except IgnoredEvent as event:
        return Step("meaning", f"none, {event}", good=True)
    return Step("meaning", "; ".join(_event_text(event) for event in events), good=True)


def _event_text(event: Event) -> str:
    amount = "" if event.amount is None else f" {event.amount} {event.currency}"
    order = f" of order {event.reference}" if event.reference else ""
    test = ", test money" if event.test else ""
    unread = f", unread: {', '.join(event.unread)}" if event.unread else ""
    return f"{event.type}{amount}{order}, event {event.id}{test}{unread}"


def _hidden(steps: Sequence[Step], token: str | None) -> Sequence[Step]:
    """Mask the token and escape control characters, which a terminal would interpret."""
    return [
        replace(
            step,
            found=_printable(_without(step.found, token)),
            content=None if step.content is None else _printable(_without(step.content, token)),
        )
        for step in steps
    ]


def _without(text: str, token: str | None) -> str:
    return text if token is None else text.replace(token, "{token}")


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]
