"""Changed contents of genuine deliveries: mostly still readable, and not always understood."""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote_plus

# A value in JSON behind its name, and a value of a form.
_JSON_VALUE = re.compile(rb'(?<=:)\s*(?:"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null)')
_NAME = re.compile(rb'"(?:[^"\\]|\\.)*"(?=\s*:)')
_FORM_VALUE = re.compile(rb"(?<==)[^&]*")

_AMOUNTS = (
    *(
        "0",
        "-0",
        "0.0",
        "-0.0",
        "-0e1",
        "1",
        "-1",
        "100.50",
        "007",
        "1E+3",
        "1e-5",
        "0E-18",
        "0E+5",
    ),
    *("1e400", "1e-400", "1E99999999999999999999", "9" * 20, "9" * 21, "9" * 30, "9" * 5000),
    *("0." + "1" * 18, "0." + "1" * 19, "1." + "0" * 30, "18446744073709551616", "1_0", "+1", ".5"),
    *("1.", "NaN", "Infinity", "-Infinity", "0x10", "1 ", " 1", "-5.25", "0.00000001", "12e-20"),
)
_TEXTS = (
    *(
        "",
        " ",
        "x",
        "A-2",
        "é",
        "\u00e9\u4e2d\U0001f600",
        "a\\b",
        'a"b',
        "line\nfeed",
        "tab\t",
        "\x00",
    ),
    *(
        "\x7f",
        "\x85",
        "\u2028",
        "\ud83d",
        "x" * 512,
        "x" * 513,
        "é" * 512,
        "null",
        "true",
        "[]",
        "{}",
    ),
    *("USDT", "usdt", "Sepolia", "Ethereum", "TRON", "11155111", "1", "0x1", "TEST_1", "SUCCESS"),
    *("2026-03-04T05:06:07Z", "2026-03-04T05:06:07.123456789+02:00", "1772600767000", "-0", "a-0"),
)
_JSON = (
    *(
        b"null",
        b"true",
        b"false",
        b"[]",
        b"{}",
        b'[{"a":1,"b":"x"}]',
        b'{"a":[1,-0]}',
        b'["a","b"]',
        b'[1,2.50,[-3e2],"x"]',
    ),
    *(b'{"a":1,"a":1}', b'{"a":"x","a":"y"}', b'{"\\u0061":1,"a":2}', b'"\xff"', b'"\xed\xa0\x80"'),
    *(b'"\\u0041"', b'"\\ud83d"', b'"\\ud83d\\ude00"', b'"\\/"', b"[1,]", b'{"a":1,}', b"'a'"),
    *(b"[" * depth + b"]" * depth for depth in (1, 30, 31, 32, 33, 2000)),
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (1, 30, 31, 32, 33)),
)


@dataclass(frozen=True)
class Mutations:
    """Changes of contents. The same seed makes the same ones."""

    chance: random.Random

    def changed(self, words: bytes) -> bytes:
        """Change a content, in one place or in several."""
        is_json = words.startswith(b"{")
        ways = self._ways_of_json() if is_json else self._ways_of_pairs()
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            words = self.chance.choice(ways)(words)
        return words

    def _ways_of_json(self) -> Sequence[Callable[[bytes], bytes]]:
        return (
            *[self._other_text, self._other_amount, self._other_json, self._swapped] * 3,
            *[self._renamed, self._repeated, self._spaced, self._added, self._byte],
        )

    def _ways_of_pairs(self) -> Sequence[Callable[[bytes], bytes]]:
        return (self._other_form_value, self._other_form_value, self._repeated_pair, self._byte)

    def _other_text(self, words: bytes) -> bytes:
        text = self.chance.choice(_TEXTS)
        # Escaped or not: a lone surrogate has no other form.
        plain = self.chance.random() < 3 / 4 and text.isprintable()
        return self._put(words, json.dumps(text, ensure_ascii=not plain).encode())

    def _other_amount(self, words: bytes) -> bytes:
        text = self.chance.choice(_AMOUNTS)
        return self._put(words, self.chance.choice((text, json.dumps(text))).encode())

    def _other_json(self, words: bytes) -> bytes:
        return self._put(words, self.chance.choice(_JSON))

    def _put(self, words: bytes, value: bytes) -> bytes:
        return self._replaced(_JSON_VALUE, words, value)

    def _swapped(self, words: bytes) -> bytes:
        return self._put(words, self._found(_JSON_VALUE, words))

    def _renamed(self, words: bytes) -> bytes:
        return self._replaced(_NAME, words, self._found(_NAME, words))

    def _repeated(self, words: bytes) -> bytes:
        member = self._found(_NAME, words) + b":" + self._found(_JSON_VALUE, words)
        return b"{" + member + b"," + words[1:]

    def _added(self, words: bytes) -> bytes:
        value = self.chance.choice(_JSON)
        name = json.dumps(self.chance.choice(_TEXTS)).encode()
        return b"{" + name + b":" + value + b"," + words[1:]

    def _spaced(self, words: bytes) -> bytes:
        place = self.chance.choice((b":", b",", b"{", b"}"))
        return words.replace(place, self.chance.choice((b" ", b"\t\r\n", b"\x0c")) + place)

    def _byte(self, words: bytes) -> bytes:
        place = self.chance.randrange(len(words) + 1)
        return words[:place] + self.chance.randbytes(1) + words[place + 1 :]

    def _other_form_value(self, words: bytes) -> bytes:
        text = self.chance.choice((*_TEXTS, *_AMOUNTS, *(each.decode("latin-1") for each in _JSON)))
        return self._replaced(_FORM_VALUE, words, quote_plus(text, errors="replace").encode())

    def _repeated_pair(self, words: bytes) -> bytes:
        return words + b"&" + self.chance.choice(words.split(b"&"))

    def _replaced(self, pattern: re.Pattern[bytes], words: bytes, value: bytes) -> bytes:
        places = _places(pattern, words)
        if not places:
            return words
        start, end = self.chance.choice(places)
        return words[:start] + value + words[end:]

    def _found(self, pattern: re.Pattern[bytes], words: bytes) -> bytes:
        places = _places(pattern, words)
        if not places:
            return b"0"
        start, end = self.chance.choice(places)
        return words[start:end]


@lru_cache(maxsize=1024)
def _places(pattern: re.Pattern[bytes], words: bytes) -> Sequence[tuple[int, int]]:
    # The same genuine contents are changed again and again.
    return [match.span() for match in pattern.finditer(words)]
