"""Which package reads a compressed batch, for the case that it is not installed."""

from collections.abc import Mapping
from typing import Final

from aiokafka.errors import UnsupportedCodecError

BY_PACKAGE: Final[Mapping[int, str]] = {2: "snappy", 3: "lz4", 4: "zstd"}
"""Codecs that need a package, by their number in a batch; gzip is in the standard library."""


def codec_missing(codec: int, error: UnsupportedCodecError) -> UnsupportedCodecError:
    """Return an error that says what to install; the one given if that would not help."""
    name = BY_PACKAGE.get(codec)
    if name is None:
        return error
    return UnsupportedCodecError(
        f"compressed with {name}, and the package cramjam is not installed:"
        f" pip install 'aiokafka[{name}]'"
    )
