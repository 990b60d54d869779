"""Why a captured request verifies or does not, step by step, without a secret."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from router.contract.event import Event
from router.delivery import Delivery, VerifiedDelivery
from router.edge.intake import Endpoint, outside_window, understood
from router.errors import NotUnderstood, RefusedDelivery
from router.providers import Asymmetric
from router.providers._signing import FormMade, HeaderRead, KeyTried, VerificationNote, watched

_SHOWN = 600
_VALUE_SHOWN = 8
_SHORT = 40


@dataclass(frozen=True)
class Step:
    """One step: what was looked at, what was found, whether it was good (None: neither)."""

    what: str
    found: str
    good: bool | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {"what": self.what, "found": self.found, "good": self.good}


@dataclass(frozen=True)
class Explanation:
    """All steps, and whether the edge would have taken the request in."""

    verified: bool
    steps: Sequence[Step]


def headers_read(delivery: Delivery, endpoint: Endpoint) -> Sequence[str]:
    """Return the values of the headers that a provider reads to verify a delivery."""
    _, seen, _ = _tried(endpoint, delivery)
    return [value for one in seen if isinstance(one, HeaderRead) for value in one.values]


def explain_incomplete(
    delivery: Delivery, endpoint: Endpoint, missing: str, token: str | None
) -> Explanation:
    """Explain a delivery whose signature cannot be recomputed, because of what is `missing`.

    Shows its request and the headers that its provider reads; no bytes that a
    form signs and no key, since both would be about something else.
    """
    shown = [step for step in _request(delivery, endpoint) if step.what != "body"]
    _, seen, _ = _tried(endpoint, delivery)
    shown += [step for one in seen if isinstance(one, HeaderRead) for step in _seen(one, token)]
    shown.append(Step("signature", f"cannot be recomputed: {missing}", good=False))
    return Explanation(verified=False, steps=_hidden(shown, token))


def explain(delivery: Delivery, endpoint: Endpoint, at: datetime, token: str | None) -> Explanation:
    """Verify as the edge does and tell each step; `token` is hidden wherever it stands."""
    steps = list(_request(delivery, endpoint))
    verified, seen, problem = _tried(endpoint, delivery)
    steps += [step for one in seen for step in _seen(one, token)]
    if verified is None:
        steps.append(Step("signature", problem, good=False))
        steps += _hints(endpoint, delivery)
        return Explanation(verified=False, steps=_hidden(steps, token))
    name = f"{verified.verification.scheme} under {verified.verification.key}"
    steps.append(Step("signature", f"holds: {name}", good=True))
    window = _window(verified, endpoint, at)
    steps += [window, _meaning(verified, endpoint)]
    return Explanation(all(step.good for step in steps[-2:]), _hidden(steps, token))


def _request(delivery: Delivery, endpoint: Endpoint) -> Iterator[Step]:
    path = delivery.target.partition("?")[0]
    if path == endpoint.target:
        yield Step("request", f"{delivery.method} {delivery.target}", good=True)
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


def _tried(
    endpoint: Endpoint, delivery: Delivery
) -> tuple[VerifiedDelivery | None, Sequence[VerificationNote], str]:
    with watched() as seen:
        try:
            return endpoint.provider.verify(delivery, endpoint.keys), seen, ""
        except RefusedDelivery as problem:
            return None, seen, str(problem)


def _seen(one: VerificationNote, token: str | None) -> Iterator[Step]:
    if isinstance(one, HeaderRead):
        values = ", ".join(_shortened(value) for value in one.values)
        count = len(one.values)
        found = values if count == 1 else f"stands {count} times"
        yield Step(f"header {one.name}", found if count else "missing", good=count == 1)
    elif isinstance(one, FormMade) and one.message is None:
        yield Step(f"form {one.scheme}", "this body has no such form")
    elif isinstance(one, FormMade) and one.message is not None:
        yield Step(f"form {one.scheme}", _bytes_told(one.message, token))
    elif isinstance(one, KeyTried):
        expected = f", which would begin {one.expected}… (hex)" if one.expected else ""
        word = "made this signature" if one.held else f"did not make this signature{expected}"
        yield Step(f"key {one.fingerprint}", word, good=one.held or None)


def _shortened(value: str) -> str:
    # A signature is told by its beginning, a time as it is.
    if len(value) <= _SHORT:
        return value
    return f"{value[:_VALUE_SHOWN]}… ({len(value)} characters)"


def _bytes_told(message: bytes, token: str | None) -> str:
    digest = hashlib.sha256(message).hexdigest()
    # Without the token before it is cut: the cut could leave the beginning of one.
    bare = message if token is None else message.replace(token.encode(), b"{token}")
    text = bare[:_SHOWN].decode("utf-8", "backslashreplace")
    shown = json.dumps(text, ensure_ascii=False)
    rest = f" … and {len(bare) - _SHOWN} more" if len(bare) > _SHOWN else ""
    return f"{len(message)} bytes, SHA-256 {digest}: {shown}{rest}"


_CHANGES: Sequence[tuple[str, Callable[[bytes], bytes]]] = (
    ("without the line end behind the body", lambda body: body.rstrip(b"\r\n")),
    ("with a line feed behind the body", lambda body: body + b"\n"),
    ("with CR LF instead of LF", lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")),
    ("with LF instead of CR LF", lambda body: body.replace(b"\r\n", b"\n")),
    ("with the body as compact JSON", lambda body: _rewritten(body, (",", ":"))),
    ("with the body as JSON with blanks", lambda body: _rewritten(body, (", ", ": "))),
    ("without a byte order mark", lambda body: body.removeprefix(b"\xef\xbb\xbf")),
)


def _rewritten(body: bytes, separators: tuple[str, str]) -> bytes:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, separators=separators).encode()
    except (ValueError, RecursionError):
        return body


def _hints(endpoint: Endpoint, delivery: Delivery) -> Iterator[Step]:
    """Say what was done to the body on the way, where that can be found."""
    for words, change in _CHANGES:
        changed = replace(delivery, body=change(delivery.body))
        if changed.body != delivery.body and _tried(endpoint, changed)[0] is not None:
            yield Step("hint", f"{words} it would verify: somebody rewrote the body on the way")


def _window(verified: VerifiedDelivery, endpoint: Endpoint, at: datetime) -> Step:
    if verified.signed_at is None:
        return Step("time", "none is signed; the event id tells a replay", good=True)
    problem = outside_window(verified, endpoint.tolerance, at)
    seconds = (at - verified.signed_at).total_seconds()
    side = "before" if seconds >= 0 else "after"
    found = f"signed {verified.signed_at.isoformat()}, {abs(seconds):.0f} s {side} {at.isoformat()}"
    if problem is not None:
        return Step("time", f"{found}: {problem.detail}", good=False)
    return Step("time", f"{found}, within the window", good=True)


def _meaning(verified: VerifiedDelivery, endpoint: Endpoint) -> Step:
    try:
        events = understood(verified, endpoint)
    except NotUnderstood as problem:
        more = f"; {len(problem.events)} events go on" if problem.events else ""
        return Step("meaning", f"quarantine, {problem}{more}", good=True)
    return Step("meaning", "; ".join(_event_told(event) for event in events), good=True)


def _event_told(event: Event) -> str:
    amount = "" if event.amount is None else f" {event.amount} {event.currency}"
    order = f" of order {event.reference}" if event.reference else ""
    test = ", test money" if event.test else ""
    unread = f", unread: {', '.join(event.unread)}" if event.unread else ""
    return f"{event.type}{amount}{order}, event {event.id}{test}{unread}"


def _hidden(steps: Sequence[Step], token: str | None) -> Sequence[Step]:
    """Take the token out, and what a terminal would obey."""
    return [replace(step, found=_printable(_without(step.found, token))) for step in steps]


def _without(text: str, token: str | None) -> str:
    return text if token is None else text.replace(token, "{token}")


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]
