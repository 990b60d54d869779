"""The console's own style sheet and scripts, and those of others that it contains."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent.parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class StaticFile:
    """A file, its type, and a digest that is part of its URL."""

    body: bytes
    media_type: str
    digest: str


def read_static_files(folder: Path = FOLDER) -> Mapping[str, StaticFile]:
    """Read every file, by name."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in _TYPES)
    return {path.name: _read(path) for path in paths}


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    return StaticFile(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:12])
