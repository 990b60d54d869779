"""How a secret is read, wherever it is written: a file, a variable, the configuration.

Editors, shells and consoles add a byte order mark before a secret and a line end behind it.
Neither is ever part of a secret, so both are removed, in the same way everywhere.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, SecretStr

PLACEHOLDER: Final = "REPLACE"
"""How every value begins that the example configurations leave to the operator."""

_BYTE_ORDER_MARK = "\ufeff"


def trimmed(text: str) -> str:
    """Return a text without byte order marks and white space around it."""
    while text != (shorter := text.strip().strip(_BYTE_ORDER_MARK)):
        text = shorter
    return text


def checked_secret(text: str) -> str:
    """Return a trimmed secret; ValueError, which does not repeat it, where it cannot be one."""
    secret = trimmed(text)
    if not secret:
        message = "is empty"
        raise ValueError(message)
    if secret.startswith(PLACEHOLDER) or f"{PLACEHOLDER}-" in secret:
        message = f"still holds the placeholder {PLACEHOLDER}… of an example"
        raise ValueError(message)
    if any(character.isspace() or character == _BYTE_ORDER_MARK for character in secret):
        message = "has white space inside: are these several secrets, or a sentence?"
        raise ValueError(message)
    if not secret.isprintable():
        # Copied from a page: a zero-width space is neither white space nor visible.
        message = "has a character that cannot be seen: was it copied with the secret?"
        raise ValueError(message)
    return secret


def _trimmed(value: object) -> object:
    return trimmed(value) if isinstance(value, str) else value


def _checked(secret: SecretStr) -> SecretStr:
    return SecretStr(checked_secret(secret.get_secret_value()))


Secret = Annotated[SecretStr, AfterValidator(_checked)]
"""A field that holds a secret: trimmed, and refused where it cannot be one."""

Passphrase = Annotated[SecretStr, BeforeValidator(_trimmed)]
"""A field with the password of a private key: trimmed; blanks inside are the owner's business."""
