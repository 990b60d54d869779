"""Messages between the parent and a worker, over a socket that no other process has."""

import pickle

import msgspec

from router.configuration.settings import Settings


class Begin(msgspec.Struct, frozen=True, tag=True):
    """To a worker, first: its number among so many, and the configuration in force."""

    number: int
    workers: int
    settings: bytes


class AskHealth(msgspec.Struct, frozen=True, tag=True):
    """To a worker: report whether you are ready."""

    question: int


class AskMetrics(msgspec.Struct, frozen=True, tag=True):
    """To a worker: report what you have measured."""

    question: int


class JudgeSettings(msgspec.Struct, frozen=True, tag=True):
    """To a worker: check this configuration, and change nothing."""

    question: int
    settings: bytes


class UseSettings(msgspec.Struct, frozen=True, tag=True):
    """To a worker: put this configuration in force."""

    question: int
    settings: bytes


class NowServing(msgspec.Struct, frozen=True, tag=True):
    """To the parent: deliveries are taken."""


class CannotStart(msgspec.Struct, frozen=True, tag=True):
    """To the parent: the configuration has these problems."""

    problems: list[str]


class OwnHealth(msgspec.Struct, frozen=True, tag=True):
    """To the parent: the answer to AskHealth."""

    question: int
    good: bool
    detail: str


class OwnMetrics(msgspec.Struct, frozen=True, tag=True):
    """To the parent: the answer to AskMetrics."""

    question: int
    snapshot: bytes


class SettingsAnswer(msgspec.Struct, frozen=True, tag=True):
    """To the parent: the problems with a configuration, none if it is taken."""

    question: int
    problems: list[str]


class LastMetrics(msgspec.Struct, frozen=True, tag=True):
    """To the parent, last: everything that was measured."""

    snapshot: bytes


ToWorker = Begin | AskHealth | AskMetrics | JudgeSettings | UseSettings
ToParent = NowServing | CannotStart | OwnHealth | OwnMetrics | SettingsAnswer | LastMetrics
Reply = OwnHealth | OwnMetrics | SettingsAnswer


def packed(settings: Settings) -> bytes:
    """Return settings as bytes; they contain the secrets."""
    return pickle.dumps(settings)


def unpacked(data: bytes) -> Settings:
    """Return the settings that the parent packed."""
    settings = pickle.loads(data)  # noqa: S301 - from the parent, over a private socket
    if not isinstance(settings, Settings):
        message = f"expected settings, not {type(settings).__name__}"
        raise TypeError(message)
    return settings
