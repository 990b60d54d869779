"""Turn a kind of message, a language and facts into a subject and a body.

Texts are `LANGUAGE/AUDIENCE/KIND.txt`, the audience `customer` or `operator`;
`any.txt` stands for every kind without one of its own. The first line is
`Subject: …`, then an empty line, then the body. A `.html` of the same name
beside it is the body of a mail as HTML. A folder of the operator goes before
the package's.
"""

import re
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from consumers.notifications.facts import NAMES, Facts, facts_of
from consumers.notifications.rules import CUSTOMER, KINDS
from router.contract.event import Event, EventType, Verification

BUILT_IN = Path(__file__).parent / "texts"
LAST_LANGUAGE = "en"
AUDIENCES = (CUSTOMER, "operator")
ANY = "any"

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}")
_SUBJECT = "Subject: "
_INEXACT = ("float", "int", "round", "sum", "filesizeformat")
"""Filters that would take an amount through a float, or cut it."""


class TextsError(Exception):
    """A text is wrong, or cannot be rendered; the message names file and line and no customer."""


@dataclass(frozen=True)
class Rendered:
    """A message as it is read."""

    subject: str
    body: str
    html: str | None = None


@dataclass(frozen=True)
class Texts:
    """All texts, the operator's before ours."""

    environment: ImmutableSandboxedEnvironment
    language: str

    def render(self, audience: str, kind: str, language: str | None, facts: Facts) -> Rendered:
        """Write a message. Raises TextsError where its text does not hold."""
        name = self._name(audience, kind, language)
        known = {**dict.fromkeys(NAMES), **facts, "kind": kind}
        subject, body = _split(name, self._write(f"{name}.txt", known))
        html = None
        if self._is_there(f"{name}.html"):
            html = self._write(f"{name}.html", known)
        return Rendered(subject, body, html)

    def _name(self, audience: str, kind: str, language: str | None) -> str:
        """Choose the text: the language counts more than that it is about this kind alone."""
        for tongue in self._languages(language):
            for name in (kind, ANY):
                found = f"{tongue}/{audience}/{name}"
                if self._is_there(f"{found}.txt"):
                    return found
        message = f"there is no text for {kind} and {audience}"
        raise TextsError(message)

    def _languages(self, wanted: str | None) -> Sequence[str]:
        """Return `pt-BR` as pt-br, pt, then the defaults. What is no language is no path either."""
        found = []
        for each in (wanted, self.language, LAST_LANGUAGE):
            tag = (each or "").lower().replace("_", "-")
            if _LANGUAGE.fullmatch(tag):
                found += [tag, tag.partition("-")[0]]
        return list(dict.fromkeys(found))

    def _is_there(self, name: str) -> bool:
        try:
            self.environment.get_template(name)
        except TemplateNotFound:
            return False
        except TemplateError:
            return True
        return True

    def _write(self, name: str, known: Facts) -> str:
        try:
            return self.environment.get_template(name).render(known)
        except Exception as error:  # noqa: BLE001 - whatever a text does is its own fault
            raise TextsError(_where(name, error)) from None


def open_texts(folder: Path | None, language: str = LAST_LANGUAGE) -> Texts:
    """Make what renders; reads nothing yet."""
    folders = [BUILT_IN] if folder is None else [folder, BUILT_IN]
    loader: BaseLoader = ChoiceLoader([FileSystemLoader(each) for each in folders])
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name) and str(name).endswith(".html"),
        finalize=_known,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _INEXACT:
        environment.filters.pop(name, None)
    return Texts(environment, language)


def checked_texts(folder: Path | None, language: str) -> Texts:
    """Make what renders, every text of the folder tried. Raises TextsError for the first wrong."""
    if not _LANGUAGE.fullmatch(language.lower()):
        message = "language: such as en or pt-BR"
        raise TextsError(message)
    texts = open_texts(folder, language)
    if folder is not None:
        if not folder.is_dir():
            message = f"templates: {folder} is no folder"
            raise TextsError(message)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            _try(texts, folder, path)
    return texts


def _try(texts: Texts, folder: Path, path: Path) -> None:
    """Render a text with everything known, and with nothing known that may be missing."""
    place = path.relative_to(folder)
    kinds = list(_kinds(place))
    if not kinds:
        message = (
            f"templates: {place}: expected LANGUAGE/customer or LANGUAGE/operator,"
            f" then a kind such as payment.confirmed, or {ANY}, then .txt or .html"
        )
        raise TextsError(message)
    for kind in kinds:
        for sample in _samples(kind):
            known = {**facts_of(sample), "kind": kind}
            try:
                written = texts._write(place.as_posix(), known)  # noqa: SLF001 - its own module
                if path.suffix == ".txt":
                    _split(str(place.with_suffix("")), written)
            except TextsError as problem:
                message = f"templates: {problem}"
                raise TextsError(message) from None


def _kinds(place: Path) -> Sequence[str]:
    """Return what a text of this place may be about; nothing where it would never be used."""
    if len(place.parts) != len(("language", "audience", "kind")):
        return []
    language, audience, _ = place.parts
    fits = _LANGUAGE.fullmatch(language) and audience in AUDIENCES
    if not fits or place.suffix not in {".txt", ".html"}:
        return []
    if place.stem == ANY:
        return KINDS
    return [place.stem] if place.stem in KINDS else []


def _samples(kind: str) -> Iterator[Event]:
    """Make events that say everything, paid too little or too much, and one that says little."""
    known = {each.value for each in EventType}
    must = {
        "id": UUID(int=0),
        "type": kind if kind in known else EventType.PAYMENT_FAILED.value,
        "provider": "blockatm",
        "endpoint": "blockatm",
        "account": "shop",
        "provider_reference": "8210003616",
        "received_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "verification": Verification(scheme="none", key="none"),
    }
    money = dict.fromkeys(("currency", "expected_currency", "fee_currency", "gas_currency"), "USDT")
    money |= {"amount": "80", "expected_amount": "100", "fee": "1", "gas": "1"}
    rest = ("reference", "network", "chain_id", "tx_hash", "from_address", "to_address")
    full = {**must, **money, **dict.fromkeys(rest, "x"), "test": True, "unread": ["occurred_at"]}
    yield Event.model_validate(full)
    yield Event.model_validate({**full, "amount": "120"})
    yield Event.model_validate(must)


def _known(value: Any) -> Any:  # noqa: ANN401 - whatever a text writes
    if value is None:
        message = "what is written here may be unknown: ask `if` first, or use `or`"
        raise TemplateError(message)
    return value


def _split(name: str, written: str) -> tuple[str, str]:
    first, _, rest = written.partition("\n")
    if not first.startswith(_SUBJECT) or not rest.strip():
        message = f"{name}.txt:1: begins with a line `{_SUBJECT}…`, then an empty line and the body"
        raise TextsError(message)
    return " ".join(first.removeprefix(_SUBJECT).split()), rest.strip("\n")


def _where(name: str, error: Exception) -> str:
    """Say what is wrong in which line of which file."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or name}:{error.lineno}: {error.message or text}"
    if isinstance(error, UnicodeDecodeError):
        return f"{name}: not UTF-8"
    lines = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith((".txt", ".html"))
    ]
    place = f"{lines[-1].filename}:{lines[-1].lineno}" if lines else name
    return f"{place}: {text}"
