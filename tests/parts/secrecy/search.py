"""Search for many secrets in much text, in every form in which they would leak."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from tests.parts.secrecy.recorder import PRIVATE_KEY, URL_TOKEN

LEAST_BYTES: Final = 8
"""Shorter values occur in a log by chance."""

LEAST_DIFFERENT: Final = 5
"""Fewer different characters mean a value that hypothesis shrinks to, such as 00000000."""

_GRAM: Final = 6
_STRIDE: Final = LEAST_BYTES - _GRAM + 1

PROVES_NOTHING: Final[Mapping[bytes, str]] = {}
"""Values that are secret somewhere and ordinary words elsewhere, each with its reason."""


@dataclass(frozen=True)
class Source:
    """Who printed, and where."""

    stream: str
    test: str = ""
    command: Sequence[str] = ()

    @property
    def tells_url(self) -> bool:
        """Whether it is the standard output of `payrouter endpoint url`, which prints URLs."""
        words = list(self.command)
        told = any(words[i : i + 2] == ["endpoint", "url"] for i in range(len(words)))
        return told and self.stream == "stdout"


@dataclass(frozen=True)
class Finding:
    """A secret that was printed. Its text does not contain the secret."""

    who: str
    stream: str
    line: int
    kind: str
    form: str
    before: str

    def __str__(self) -> str:
        """One line: who printed what, and where."""
        where = f"{self.stream}, line {self.line}, behind {self.before!r}"
        return f"{self.who}: {self.kind} {self.form}: {where}"


@dataclass
class Search:
    """Every form of every secret, by the bytes it begins with."""

    secrets: int = 0
    left_out: int = 0
    _forms: dict[bytes, dict[str, str]] = field(default_factory=dict)
    _grams: dict[bytes, list[tuple[bytes, int]]] = field(default_factory=dict)
    _seen: set[bytes] = field(default_factory=set)

    def add(self, kind: str, secret: bytes) -> None:
        """Add a secret, and the secrets within it, to the search."""
        for part, value in parts(kind, secret):
            named = f"{kind} ({part})" if part else kind
            new = value not in self._seen
            self._seen.add(value)
            if is_telling(value):
                self.secrets += new
                for form, written in forms(value):
                    self._know(written, named, form)
            else:
                self.left_out += new

    def _know(self, written: bytes, kind: str, form: str) -> None:
        if written not in self._forms:
            for offset in range(_STRIDE):
                gram = written[offset : offset + _GRAM]
                self._grams.setdefault(gram, []).append((written, offset))
        self._forms.setdefault(written, {}).setdefault(kind, form)

    def within(self, source: Source, text: bytes) -> Iterator[Finding]:
        """Yield each place of the text that contains a secret that must not be there."""
        hits = [hit for hit in self._hits(text) if not self._is_allowed(source, hit[1])]
        if not hits:
            return
        who = source.test or "no test"
        if source.command:
            who += f", `{self.masked(' '.join(source.command))}`"
        for start, written in hits:
            begin = text.rfind(b"\n", 0, start) + 1
            line = text[begin:start].decode(errors="replace")
            # The name of the setting is more useful than the fact that some setting contained it.
            kinds = self._forms[written].items()
            kind, form = min(kinds, key=lambda each: each[0].startswith("SecretStr"))
            number = text.count(b"\n", 0, start) + 1
            yield Finding(who, source.stream, number, kind, form, self.masked(line)[-60:])

    def masked(self, text: str) -> str:
        """Return the text without any secret."""
        raw = text.encode(errors="replace")
        for _, written in self._hits(raw):
            raw = raw.replace(written, b"***")
        return raw.decode(errors="replace")[:200]

    def _is_allowed(self, source: Source, written: bytes) -> bool:
        return source.tells_url and URL_TOKEN in self._forms[written]

    def _hits(self, text: bytes) -> list[tuple[int, bytes]]:
        # Every form in the text covers a sampled position, since all forms are at least as
        # long as a stride and a gram together.
        grams, found = self._grams, set()
        for at in range(0, len(text) - _GRAM + 1, _STRIDE):
            if text[at : at + _GRAM] in grams:
                for written, offset in grams[text[at : at + _GRAM]]:
                    if at >= offset and text.startswith(written, at - offset):
                        found.add((at - offset, written))
        return sorted(found)


def is_telling(value: bytes) -> bool:
    """Whether finding a value in a text proves that it was written there."""
    return (
        len(value) >= LEAST_BYTES
        and len(set(value)) >= LEAST_DIFFERENT
        and value not in PROVES_NOTHING
    )


def parts(kind: str, secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Return what is secret of a secret: of an URL its password, of a key the lines of its PEM."""
    text = secret.decode("utf-8", "surrogateescape")
    if text.startswith("-----BEGIN") or kind == PRIVATE_KEY:
        lines = [line for line in secret.split(b"\n") if re.fullmatch(rb"[A-Za-z0-9+/=]+", line)]
        yield from (("a line of its PEM", line) for line in lines)
    elif "://" in text:
        yield from _parts_of_url(text, whole="channel" in kind)
    else:
        yield "", secret


_SECRET_QUERY: Final = re.compile(r"pass|pwd|token|secret|key", re.IGNORECASE)


def _parts_of_url(text: str, *, whole: bool) -> Iterator[tuple[str, bytes]]:
    try:
        url = urlsplit(text)
        words = [("password", url.password or "")]
    except ValueError:
        # What cannot be read as an URL is no less secret.
        yield "", text.encode("utf-8", "surrogateescape")
        return
    words += [("query", v) for k, v in parse_qsl(url.query) if _SECRET_QUERY.search(k)]
    if whole:
        words += [("path", part) for part in url.path.split("/") if _is_random(part)]
        words += [("user", url.username or "")] if _is_random(url.username or "") else []
    for part, word in words:
        if word:
            yield part, word.encode("utf-8", "surrogateescape")
            yield part, unquote(word).encode("utf-8", "surrogateescape")


def _is_random(word: str) -> bool:
    """Tell a token from a name: long, with letters and digits."""
    return len(word) >= 12 and bool(re.search(r"\d", word)) and bool(re.search(r"[A-Za-z]", word))


def forms(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Return a value as it is and as it would be written elsewhere."""
    yield "as it is", value
    yield "in hexadecimal", value.hex().encode()
    yield "in hexadecimal", value.hex().upper().encode()
    yield from (("in base64", written) for written in _base64(value))
    for text in _texts(value):
        yield from (
            (form, written.encode("utf-8", "surrogatepass"))
            for form, written in (
                ("percent-encoded", quote(text, safe="", errors="replace")),
                ("percent-encoded", quote(text, safe="/", errors="replace")),
                ("percent-encoded", quote_plus(text, errors="replace")),
                ("as JSON", json.dumps(text)[1:-1]),
                ("as JSON", json.dumps(text, ensure_ascii=False)[1:-1]),
                ("as Python", repr(text)[1:-1]),
                ("as Python", repr(value)[2:-1]),
            )
        )


def _texts(value: bytes) -> Iterable[str]:
    try:
        return [value.decode()]
    except UnicodeDecodeError:
        return [value.decode("latin-1")]


def _base64(value: bytes) -> Iterator[bytes]:
    """Write it where it begins at any byte of a group of three, without the groups it shares."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + value)
        end = len(whole) - (4 if (shift + len(value)) % 3 else 0)
        inner = whole[4 if shift else 0 : end]
        if len(inner) >= LEAST_BYTES:
            yield inner
            yield inner.replace(b"+", b"-").replace(b"/", b"_")
