"""Parses an HTTP request from text, head and body, as a proxy or tunnel records it."""

from dataclasses import dataclass

from router.errors import ConfigurationError


@dataclass(frozen=True)
class Captured:
    """A parsed request, and how its body was corrected, if at all."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    corrected: str | None = None


def read_captured(text: bytes) -> Captured:
    """Parse a request, or raise ConfigurationError.

    Lines of the head may end in LF or CR LF. A body that exceeds its
    Content-Length only by line ends is cut: an editor added them.
    """
    head, separator, body = _split(text)
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split(" ")
    if len(words) not in {2, 3} or not words[0].isalpha() or not separator:
        message = "--file: expected a request line, headers, an empty line and the body"
        raise ConfigurationError(message)
    headers = tuple(_header(line) for line in lines)
    kept, corrected = _fitted(body, dict(headers).get("content-length"))
    return Captured(words[0].upper(), _origin_form(words[1]), headers, kept, corrected)


def _split(text: bytes) -> tuple[bytes, bytes, bytes]:
    found = [(text.find(end), end) for end in (b"\r\n\r\n", b"\n\n") if end in text]
    if found:
        at, end = min(found)
        return text[:at], end, text[at + len(end) :]
    # A GET may have no body.
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
        return body[:wanted], f"removed {len(body) - wanted} line ends after the body"
    if len(body) != wanted:
        return body, f"content-length is {wanted} bytes, but the file has {len(body)}"
    return body, None
