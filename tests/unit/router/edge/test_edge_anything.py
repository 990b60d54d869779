"""For any request: no event without a signature, no exception, no answer that blames the edge."""

import asyncio
import json

import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.parts.edge import asgi
from tests.parts.edge.asgi import Header
from tests.parts.edge.edge_server import TOKEN
from tests.parts.edge.mutations import GENUINE
from tests.parts.examples import examples
from tests.parts.providers.blockatm_deliveries import PAYMENT, TIME, signature

_EXAMPLES = examples(300)

_METHODS = st.sampled_from(["POST", "GET", "HEAD", "PUT", "PURGE", "post", ""])
_PATHS = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=40).map(lambda tail: b"/webhooks/" + tail),
    st.sampled_from(
        [b"/webhooks/shop", b"/webhooks/quick_one", f"/webhooks/guarded/{TOKEN}".encode()]
    ),
)
_NAMES = st.one_of(
    st.sampled_from(
        [
            b"blockatm-signature-v2",
            b"blockatm-request-time",
            b"blockatm-event",
            b"content-type",
            b"content-length",
            b"content-encoding",
            b"transfer-encoding",
        ]
    ),
    st.binary(max_size=20),
)
_VALUES = st.one_of(
    st.sampled_from(
        [
            TIME.encode(),
            b"a" * 64,
            b"0" * 64,
            b"payment",
            b"application/json",
            b"0",
            b"9" * 5000,
            b"\xb2",
            b"0" * 5000,
        ]
    ),
    st.binary(max_size=100),
)
_HEADERS = st.lists(st.tuples(_NAMES, _VALUES), max_size=8)
_JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from([9, -1])
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
_BODIES = st.one_of(
    st.binary(max_size=3000), _JSON.map(json.dumps).map(str.encode), st.just(GENUINE.body)
)
_USUAL: list[Header] = [
    (b"content-type", b"application/json"),
    (b"blockatm-request-time", TIME.encode()),
]
_EDGE = asgi.edge()


def _asked(
    method: str, path: bytes, headers: list[Header], query: bytes, body: bytes
) -> asgi.RequestResult:
    structlog.reset_defaults()
    with capture_logs() as log:
        asked = asyncio.run(asgi.ask(_EDGE, method, path, headers, body, query=query))
    assert not [line for line in log if line["log_level"] in {"warning", "error", "critical"}]
    return asked


@_EXAMPLES
@given(method=_METHODS, path=_PATHS, headers=_HEADERS, query=st.binary(max_size=50), body=_BODIES)
def test_request_without_a_signature_is_refused_with_any_content(
    method: str, path: bytes, headers: list[Header], query: bytes, body: bytes
) -> None:
    asked = _asked(method, path, headers, query, body)

    assert 400 <= asked.status < 500
    assert asked.published == ()


@_EXAMPLES
@given(signed=_VALUES, event=_VALUES, body=_BODIES)
def test_a_delivery_that_looks_right_is_refused_without_the_right_signature(
    signed: bytes, event: bytes, body: bytes
) -> None:
    headers = [*_USUAL, (b"blockatm-signature-v2", signed), (b"blockatm-event", event)]

    asked = _asked("POST", b"/webhooks/shop", headers, b"", body)

    assert asked.status == 401
    assert asked.published == ()


@_EXAMPLES
@given(event=_VALUES, name=st.sampled_from(sorted(PAYMENT)), value=_JSON, body=_BODIES)
def test_genuine_delivery_with_any_content_is_an_event_or_quarantined(
    event: bytes, name: str, value: object, body: bytes
) -> None:
    for sent in (body, json.dumps({**PAYMENT, name: value}).encode()):
        signed = signature(sent + b"&time=" + TIME.encode()).encode()
        headers = [*_USUAL, (b"blockatm-signature-v2", signed), (b"blockatm-event", event)]

        asked = _asked("POST", b"/webhooks/shop", headers, b"", sent)

        assert asked.status == 200
        # This edge does not write the same delivery to quarantine twice.
        assert len(asked.published) <= 1
