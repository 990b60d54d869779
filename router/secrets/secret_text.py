"""Reads secrets from files, environment variables and the configuration, in the same way.

Editors, shells and consoles add a byte order mark before a secret and a line break after it. They
are never part of a secret, so both are removed.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, SecretStr

PLACEHOLDER: Final = "REPLACE"
"""Start of every value that an operator has to replace in the example configurations."""

_BYTE_ORDER_MARK = "\ufeff"


def trimmed(text: str) -> str:
    """Return a text without leading and trailing byte order marks and white space."""
    while text != (shorter := text.strip().strip(_BYTE_ORDER_MARK)):
        text = shorter
    return text


def checked_secret(text: str) -> str:
    """Return a trimmed secret; raises ValueError, without the text, if it cannot be a secret."""
    secret = trimmed(text)
    if not secret:
        message = "is empty"
        raise ValueError(message)
    if secret.startswith(PLACEHOLDER) or f"{PLACEHOLDER}-" in secret:
        message = f"still has the placeholder {PLACEHOLDER}… of an example"
        raise ValueError(message)
    if any(character.isspace() or character == _BYTE_ORDER_MARK for character in secret):
        message = "has white space inside: are these several secrets, or a sentence?"
        raise ValueError(message)
    if not secret.isprintable():
        # Text copied from a web page may have zero-width spaces: invisible, but not white space.
        message = "has an invisible character: was it copied along with the secret?"
        raise ValueError(message)
    return secret


def _trimmed(value: object) -> object:
    return trimmed(value) if isinstance(value, str) else value


def _checked(secret: SecretStr) -> SecretStr:
    return SecretStr(checked_secret(secret.get_secret_value()))


Secret = Annotated[SecretStr, AfterValidator(_checked)]
"""A field for a secret: trimmed, and refused if it cannot be one."""

Passphrase = Annotated[SecretStr, BeforeValidator(_trimmed)]
"""A field for the password of a private key: trimmed; white space inside is allowed."""
