"""Renders the subject and body of a message from its kind, language and facts.

Texts are `LANGUAGE/AUDIENCE/KIND.txt`, with the audience `customer` or
`operator`; `any.txt` is used for kinds without a separate text. The first line
is `Subject: …`, then an empty line, then the body. An optional `.html` file of
the same name is the HTML body of a mail. Texts in the operator's folder
override the package's.
"""

import re
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
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

from consumers.notifications.facts import NAMES, Facts, facts_of, order_facts
from consumers.notifications.outcomes import COMMITTED, OrderOutcome
from consumers.notifications.rules import CUSTOMER, KINDS, ORDER_PAID
from router.contract.event import Event, EventType, Verification

BUILT_IN = Path(__file__).parent.parent / "texts"
LAST_LANGUAGE = "en"
AUDIENCES = (CUSTOMER, "operator")
ANY = "any"

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,3}")
_SUBJECT = "Subject: "
_MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_INEXACT = ("float", "int", "round", "sum", "filesizeformat")
"""Filters that would convert an amount to a float, or truncate it."""


class TextsError(Exception):
    """A text is invalid or cannot be rendered; the message has file and line, no customer data."""


@dataclass(frozen=True)
class Rendered:
    """A rendered message."""

    subject: str
    body: str
    html: str | None = None


@dataclass(frozen=True)
class Texts:
    """All texts; the operator's override the built-in ones."""

    environment: ImmutableSandboxedEnvironment
    language: str

    def render(self, audience: str, kind: str, language: str | None, facts: Facts) -> Rendered:
        """Render a message. Raises TextsError if its text is invalid."""
        name = self._name(audience, kind, language)
        known = {**dict.fromkeys(NAMES), **facts, "kind": kind}
        subject, body = _split(name, self._write(f"{name}.txt", known))
        html = None
        if self._is_there(f"{name}.html"):
            html = self._write(f"{name}.html", known)
        return Rendered(subject, body, html)

    def _name(self, audience: str, kind: str, language: str | None) -> str:
        """Choose the text: a matching language takes precedence over a matching kind."""
        for tongue in self._languages(language):
            for name in (kind, ANY):
                found = f"{tongue}/{audience}/{name}"
                if self._is_there(f"{found}.txt"):
                    return found
        message = f"there is no text for {kind} and {audience}"
        raise TextsError(message)

    def _languages(self, wanted: str | None) -> Sequence[str]:
        """Return the languages to try: pt-br and pt for `pt-BR`, then the defaults.

        Skips text that is not a language tag, so it never becomes part of a path.
        """
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
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            raise TextsError(_where(name, error)) from None


def open_texts(folder: Path | None, language: str = LAST_LANGUAGE) -> Texts:
    """Return the texts of a folder and the built-in ones; files are read when used."""
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
    """Return the texts after trying every file of the folder.

    Raises TextsError for the first invalid one.
    """
    if not _LANGUAGE.fullmatch(language.lower()):
        message = "language: expected a tag such as en or pt-BR"
        raise TextsError(message)
    texts = open_texts(folder, language)
    if folder is not None:
        if not folder.is_dir():
            message = f"templates: {folder} is not a folder"
            raise TextsError(message)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            _try(texts, folder, path)
    return texts


def _try(texts: Texts, folder: Path, path: Path) -> None:
    """Render a text with all facts known, and with all optional facts missing."""
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
            known = {**sample, "kind": kind}
            try:
                written = texts._write(place.as_posix(), known)  # noqa: SLF001 - its own module
                if path.suffix == ".txt":
                    _split(str(place.with_suffix("")), written)
            except TextsError as problem:
                message = f"templates: {problem}"
                raise TextsError(message) from None


def _kinds(place: Path) -> Sequence[str]:
    """Return the kinds a text at this path is used for; empty if it would never be used."""
    if len(place.parts) != len(("language", "audience", "kind")):
        return []
    language, audience, _ = place.parts
    fits = _LANGUAGE.fullmatch(language) and audience in AUDIENCES
    if not fits or place.suffix not in {".txt", ".html"}:
        return []
    if place.stem == ANY:
        return KINDS
    return [place.stem] if place.stem in KINDS else []


def _samples(kind: str) -> Iterator[Facts]:
    """Yield sample facts: all of them with an underpaid and an overpaid amount, then few."""
    if kind == ORDER_PAID:
        yield order_facts(OrderOutcome(UUID(int=0), "shop", "x", COMMITTED, _MOMENT))
    known = {each.value for each in EventType}
    must = {
        "id": UUID(int=0),
        "type": kind if kind in known else EventType.PAYMENT_FAILED.value,
        "provider": "blockatm",
        "endpoint": "blockatm",
        "account": "shop",
        "provider_reference": "8210003616",
        "received_at": _MOMENT,
        "verification": Verification(scheme="none", key="none"),
    }
    currencies = ("currency", "expected_currency", "fee_currency", "gas_currency")
    money = dict.fromkeys(currencies, "USDT")
    money |= {"amount": "80", "expected_amount": "100", "fee": "1", "gas": "1"}
    money |= {"movement": "1", "movement_amount": "30"}
    rest = ("reference", "network", "chain_id", "tx_hash", "from_address", "to_address")
    flags = {"test": True, "amount_claimed": True, "unread": ["occurred_at"]}
    full = {**must, **money, **dict.fromkeys(rest, "x"), **flags}
    yield facts_of(Event.model_validate(full), Decimal(80))
    yield facts_of(Event.model_validate({**full, "amount": "120"}), Decimal(120))
    yield facts_of(Event.model_validate(must))


def _known(value: Any) -> Any:  # noqa: ANN401 - any value of a template
    if value is None:
        message = "this value may be unknown: guard it with `if`, or use `or`"
        raise TemplateError(message)
    return value


def _split(name: str, written: str) -> tuple[str, str]:
    first, _, rest = written.partition("\n")
    if not first.startswith(_SUBJECT) or not rest.strip():
        message = (
            f"{name}.txt:1: must begin with a line `{_SUBJECT}…`, then an empty line and the body"
        )
        raise TextsError(message)
    return " ".join(first.removeprefix(_SUBJECT).split()), rest.strip("\n")


def _where(name: str, error: Exception) -> str:
    """Return an error message with the file and line of a template error."""
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
