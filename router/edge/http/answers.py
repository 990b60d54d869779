"""Answers written without the application: to malformed requests and under overload."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

_CLOSE = b"connection: close\r\n"
_RETRY = b"retry-after: 5\r\n"


def _answer(status: int, text: str, *headers: bytes) -> bytes:
    body = text.encode()
    lines = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
    return b"".join([STATUS_LINE[status], lines, *headers, b"\r\n", body])


MALFORMED_ANSWERS = {
    400: _answer(400, "bad request\n", _CLOSE),
    431: _answer(431, "request header fields too large\n", _CLOSE),
}
"""Answers to requests that are not acceptable HTTP, by status; each ends the connection."""

_SHED = {
    False: _answer(503, "not kept, send again\n", _RETRY),
    True: _answer(503, "not kept, send again\n", _RETRY, _CLOSE),
}


def shed_answer(method: bytes, *, closes: bool) -> bytes:
    """Return the answer to a request that is refused under overload, without a body for HEAD."""
    answer = _SHED[closes]
    return answer[: answer.index(b"\r\n\r\n") + 4] if method == b"HEAD" else answer
