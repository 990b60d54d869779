"""Records the steps of a verification, for `payrouter verify`."""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HeaderRead:
    """A header was read, with these values."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FormMade:
    """The signed bytes of a scheme were built; None if this body has no such form."""

    scheme: str
    message: bytes | None = field(repr=False)


@dataclass(frozen=True)
class KeyTried:
    """A key was tried on those bytes; `expected` is only the beginning of its signature."""

    fingerprint: str
    held: bool
    expected: str | None


VerificationNote = HeaderRead | FormMade | KeyTried

_NOTES: ContextVar[list[VerificationNote] | None] = ContextVar("notes", default=None)
_EXPECTED: ContextVar[str | None] = ContextVar("expected", default=None)
_BEGINNING = 4
"""Bytes of an expected signature that are noted: too few to forge one, enough to compare."""


@contextlib.contextmanager
def watched() -> Iterator[Sequence[VerificationNote]]:
    """Collect the notes of verifications inside the block."""
    notes: list[VerificationNote] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


def note(what: VerificationNote) -> None:
    """Add a note if a verification is watched."""
    notes = _NOTES.get()
    if notes is not None:
        notes.append(what)


def is_watched() -> bool:
    """Return whether notes are collected."""
    return _NOTES.get() is not None


def note_expected(signature: bytes | None) -> None:
    """Store the beginning of the signature that a key makes, for the note on this key."""
    if _NOTES.get() is not None:
        _EXPECTED.set(None if signature is None else signature[:_BEGINNING].hex())


def expected() -> str | None:
    """Return the beginning of the signature that was stored last."""
    return _EXPECTED.get()
