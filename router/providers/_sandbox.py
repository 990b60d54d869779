"""Field by which a mapped gateway marks test money: `livemode: false` and the like."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from router.errors import Reason
from router.providers import OPTIONS
from router.providers._reading import Fields, Path, refused


def _as_words(value: object) -> object:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_word(each) for each in values)


def _word(value: object) -> object:
    """Write a boolean or a number as JSON does, so that `false` and `"false"` are the same word."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | Decimal) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words), Field(min_length=1)]


class Sandbox(BaseModel):
    """`[….mapping.test]`: the field that marks test or live money, and its words for each."""

    model_config = OPTIONS

    field: Path
    test: Words
    live: Words

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for word in set(self.test) & set(self.live):
            message = f"{word} is listed under both test and live"
            raise ValueError(message)
        return self

    def read(self, fields: Fields) -> bool | None:
        """Return True for test money, False for live, None if the field is absent.

        Raises NotUnderstood for any other word, since the money might be real.
        """
        value = fields.value(self.field)
        if value is None:
            return None
        word = _word(value)
        if word in self.test or word in self.live:
            return word in self.test
        raise refused(Reason.FIELD_MALFORMED, self.field, "neither in test nor in live")
