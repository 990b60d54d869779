"""Reads the secret in a file."""

from pathlib import Path

from router.secrets.secret_text import checked_secret


def secret_in(file: object) -> str:
    """Return the secret in a file. Raises ValueError, whose message does not repeat the secret."""
    try:
        text = Path(str(file)).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        message = f"cannot read {_shown(file)}: {type(error).__name__}"
        raise ValueError(message) from None
    try:
        return checked_secret(text)
    except ValueError as error:
        message = f"the secret in {_shown(file)} {error}"
        raise ValueError(message) from None


def _shown(file: object) -> str:
    """Return the name of a file, unless it may be a secret under the wrong key."""
    text = str(file)
    return text if text.startswith(("/", "./", "../")) else "the file that is named there"
