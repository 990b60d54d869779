"""Makes models of pydantic from values that are known to be valid."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def model_of(kind: type[M], values: dict[str, Any], given: Iterable[str]) -> M:
    """Return a model with these values of all its fields, in their order; `given` are not defaults.

    It is what `model_construct` returns, which looks up each field.
    """
    model = kind.__new__(kind)
    object.__setattr__(model, "__dict__", values)
    object.__setattr__(model, "__pydantic_fields_set__", set(given))
    object.__setattr__(model, "__pydantic_extra__", None)
    object.__setattr__(model, "__pydantic_private__", None)
    return model
