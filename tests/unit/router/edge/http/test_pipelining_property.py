"""A sequence of requests gets the same answers in order, with any split into pieces."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from router.edge.http.bounds import HttpBounds
from tests.parts.edge.open_door import open_door
from tests.parts.edge.raw_http import chunk, connected, head, request
from tests.parts.examples import examples

_OFFER = [("Connection", "Upgrade"), ("Upgrade", "h2c")]


@st.composite
def _requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return a request as bytes, and its body."""
    body = draw(st.binary(max_size=60))
    offer = draw(st.sampled_from([[], _OFFER]))
    if draw(st.booleans()):
        return request("/", offer, body), body
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]
    trailer = draw(st.sampled_from([b"", b"X-Late: 1\r\n"]))
    wrapped = b"".join(chunk(piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"
    return head("/", [*offer, ("Transfer-Encoding", "chunked")]) + wrapped, body


def _is_plain(sent: bytes) -> bool:
    """Return whether the first request has a Content-Length, and offers nothing."""
    first = sent.partition(b"\r\n\r\n")[0].lower()
    return b"content-length" in first and b"upgrade" not in first


@examples(30)
@given(
    st.lists(_requests(), min_size=1, max_size=6),
    st.lists(st.floats(0, 1, exclude_max=True), max_size=12),
    st.integers(1, 64),
    st.booleans(),
)
def test_any_split_of_pipelined_requests_gets_the_same_answers_in_order(
    requests: list[tuple[bytes, bytes]],
    cuts: list[float],
    piece_bytes: int,
    direct: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    sent = b"".join(data for data, _ in requests)
    places = sorted({int(cut * len(sent)) for cut in cuts})
    pieces = [sent[a:b] for a, b in zip([0, *places], [*places, len(sent)], strict=True)]

    async def test() -> None:
        bounds = HttpBounds(piece_bytes=piece_bytes)
        async with (
            open_door(bounds=bounds, direct=direct) as door,
            connected(door.port) as line,
        ):
            for piece in pieces:
                await line.send(piece)
                await asyncio.sleep(0)

            answers = [await line.answer() for _ in requests]
            assert [answer.status for answer in answers] == [200] * len(requests)
            assert door.bodies == [body for _, body in requests]
            assert door.seen.malformed_requests == []
            assert door.admission.bytes == 0
            if direct and len(pieces) == 1 and _is_plain(sent):
                assert door.direct > 0

    asyncio.run(test())
