"""Reads the body of a POST, which is a form or JSON."""

import re

from router.delivery import VerifiedDelivery
from router.errors import Reason, Unreadable
from router.providers._reading import Fields
from router.providers.blockbee._fields import from_form, from_json, single
from router.providers.blockbee._signature import TYPE_HEADER

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
CONTENT_TYPES = (FORM, JSON)

# Pairs of names and values as a browser writes them. JSON never matches: it begins with a brace,
# a bracket or a quotation mark.
_PAIR = rb"[A-Za-z0-9_.*%+~\-\[\]]+=[A-Za-z0-9_.*%+~:/@,\-]*"
# White space, and the bytes of a byte order mark, which no form begins with.
_BEFORE_JSON = b" \t\r\n\xef\xbb\xbf"
_PAIRS = re.compile(rb"(?:%b&)*%b" % (_PAIR, _PAIR))


def posted(verified: VerifiedDelivery) -> Fields:
    """Read the body of a POST, or raise Unreadable.

    The content type decides, although it is not signed. If it is missing or
    neither of the two, the body must be clearly one of them.
    """
    body = verified.delivery.body
    looks_like = _looks_like(body)
    declared = _declared(verified)
    if declared == JSON or (declared is None and looks_like == JSON):
        return single(from_json(body))
    if declared is None and looks_like is None:
        detail = f"content-type: expected {FORM} or {JSON}, and the body is clearly neither"
        raise Unreadable(Reason.CONTENT_TYPE, detail)
    if declared == FORM and looks_like == JSON:
        # Read as a form, it would have the pairs that its texts contain.
        raise Unreadable(Reason.CONTENT_TYPE, f"content-type: {FORM}, but the body is JSON")
    return single(from_form(body))


def _declared(verified: VerifiedDelivery) -> str | None:
    """Return the content type, None if it is missing, repeated or neither of the two."""
    values = verified.delivery.header(TYPE_HEADER)
    media = {value.partition(";")[0].strip().lower() for value in values}
    return next(iter(media)) if len(media) == 1 and media <= set(CONTENT_TYPES) else None


def _looks_like(body: bytes) -> str | None:
    if body.lstrip(_BEFORE_JSON).startswith((b"{", b"[", b'"')):
        return JSON
    return FORM if _PAIRS.fullmatch(body) is not None else None
