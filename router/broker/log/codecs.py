"""Names the package that decompresses a batch, for the error if it is not installed."""

from collections.abc import Mapping
from typing import Final

from aiokafka.errors import UnsupportedCodecError

BY_PACKAGE: Final[Mapping[int, str]] = {2: "snappy", 3: "lz4", 4: "zstd"}
"""Codecs that need a package, by their number in a batch; gzip is in the standard library."""


def codec_missing(codec: int, error: UnsupportedCodecError) -> UnsupportedCodecError:
    """Return an error with what to install, or `error` itself if no package would help."""
    name = BY_PACKAGE.get(codec)
    if name is None:
        return error
    return UnsupportedCodecError(
        f"compressed with {name}, but the package cramjam is not installed:"
        f" pip install 'aiokafka[{name}]'"
    )
