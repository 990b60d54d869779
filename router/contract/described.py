"""Description and examples of a field, as the published schemas show them."""

from typing import Any

from pydantic import Field


def described(text: str, *examples: object) -> Any:  # noqa: ANN401 - metadata of `Annotated`
    """Return the metadata of a field; every example has the field's form in JSON."""
    return Field(description=text, examples=list(examples))
