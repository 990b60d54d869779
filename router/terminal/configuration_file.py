"""Finds the configuration file in force, and what a running `payrouter dev` left for others."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def configuration_path(
    config: Path | None, data_dir: Path, environ: Mapping[str, str]
) -> Path | None:
    """Return the configuration file in force, or None if there is none.

    In this order: `config`, PAYROUTER_CONFIG, that of a running `dev`,
    `payrouter.toml` in the working directory, the one that `dev` generated.
    """
    if config is not None:
        return config
    if environ.get("PAYROUTER_CONFIG"):
        return Path(environ["PAYROUTER_CONFIG"])
    running = running_dev(data_dir)
    if running is not None and running.get("config"):
        return Path(running["config"])
    candidates = (Path("payrouter.toml"), generated_path(data_dir))
    return next((path for path in candidates if path.exists()), None)


def generated_path(data_dir: Path) -> Path:
    """Return the path of the configuration that `dev` generates if none is given."""
    return data_dir / "payrouter.toml"


def running_path(data_dir: Path) -> Path:
    """Return the path of the file with the addresses of a running `dev`."""
    return data_dir / "running.json"


def running_dev(data_dir: Path) -> Mapping[str, Any] | None:
    """Return the addresses of a running `dev`, or None if none runs in this data directory."""
    try:
        found = json.loads(running_path(data_dir).read_text(encoding="utf-8"))
        if found["pid"] <= 0:
            # To kill() that is not one process but several.
            return None
        os.kill(found["pid"], 0)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return found if isinstance(found, dict) else None
