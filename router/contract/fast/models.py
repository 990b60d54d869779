"""Makes models of pydantic from values that are known to be valid."""

from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def model_of(kind: type[M], values: dict[str, Any], given: set[str]) -> M:
    """Return the frozen model that pydantic makes of valid values of all its fields, in order.

    `given` names the fields that are not left at their defaults. Models may share the set: a copy
    of one gets its own.
    """
    model = kind.__new__(kind)
    # As if it had been pickled, which checks nothing.
    model.__setstate__(
        {
            "__dict__": values,
            "__pydantic_fields_set__": given,
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return model
