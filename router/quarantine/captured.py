"""An HTTP request as text, head and body, as a proxy or a tunnel has written it down."""

from dataclasses import dataclass

from router.errors import ConfigurationError


@dataclass(frozen=True)
class Captured:
    """The request, and what had to be mended to read it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    mended: str | None = None


def read_captured(text: bytes) -> Captured:
    """Read a request, or raise ConfigurationError.

    Lines of the head may end as editors end them. A body longer than its
    Content-Length by line ends alone is cut: an editor has put them there.
    """
    head, separator, body = _split(text)
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split(" ")
    if len(words) not in {2, 3} or not words[0].isalpha() or not separator:
        message = "--file: expected a request line, headers, an empty line and the body"
        raise ConfigurationError(message)
    headers = tuple(_header(line) for line in lines)
    kept, mended = _fitted(body, dict(headers).get("content-length"))
    return Captured(words[0].upper(), _origin_form(words[1]), headers, kept, mended)


def _split(text: bytes) -> tuple[bytes, bytes, bytes]:
    found = [(text.find(end), end) for end in (b"\r\n\r\n", b"\n\n") if end in text]
    if found:
        at, end = min(found)
        return text[:at], end, text[at + len(end) :]
    # A GET may end with its head.
    return text.rstrip(b"\r\n"), b"\n" if text.endswith(b"\n") else b"", b""


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        message = f"--file: expected NAME: VALUE in the head, not a line of {len(line)} characters"
        raise ConfigurationError(message)
    return name.strip().lower(), value.strip(" \t")


def _origin_form(target: str) -> str:
    if "://" not in target:
        return target
    return "/" + target.partition("://")[2].partition("/")[2]


def _fitted(body: bytes, length: str | None) -> tuple[bytes, str | None]:
    if length is None or not length.isdecimal():
        return body, None
    wanted = int(length)
    if len(body) > wanted and not body[wanted:].strip(b"\r\n"):
        return body[:wanted], f"cut {len(body) - wanted} line ends behind the body"
    if len(body) != wanted:
        return body, f"content-length says {wanted} bytes, the file has {len(body)}"
    return body, None
