"""Problems of a configuration: each is a line that names the key and no value."""

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from router.errors import ConfigurationError


@dataclass
class Problems:
    """Problems gathered from several checks, a line each."""

    lines: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """Collect the problems of the block instead of raising ConfigurationError."""
        try:
            yield
        except ConfigurationError as error:
            self.lines += error.problems

    def refuse(self) -> None:
        """Raise ConfigurationError if there are any."""
        if self.lines:
            raise ConfigurationError(*dict.fromkeys(self.lines))


_QUOTED = re.compile(r"'([^']*)'")


def nearest(word: object, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the most similar known word, or an empty text."""
    found = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def problem_lines(
    error: ValidationError,
    under: str = "",
    model: type[BaseModel] | None = None,
    beside: Iterable[str] = (),
) -> list[str]:
    """Write every problem of a validation as `KEY: what is wrong`.

    `under` is the key of the table that was validated, `model` what it was
    validated with; `beside` are the keys of that table that another model reads.
    """
    known = (model, tuple(beside))
    problems = error.errors(include_url=False)
    # A key may contain a line feed, a message must not.
    return [
        " ".join(text.splitlines())
        for problem in problems
        for text in _texts(dict(problem), under, known)
    ]


def _texts(
    problem: dict[str, Any], under: str, known: tuple[type[BaseModel] | None, Sequence[str]]
) -> list[str]:
    place = ".".join([*([under] if under else []), *(str(part) for part in problem["loc"])])
    return [f"{place}: {text}" if place else text for text in _messages(problem, *known)]


def _messages(
    problem: dict[str, Any], model: type[BaseModel] | None, beside: Sequence[str]
) -> list[str]:
    location, context = problem["loc"], problem.get("ctx", {})
    if problem["type"] == "extra_forbidden":
        known = [*known_keys(model, location[:-1]), *(beside if len(location) == 1 else ())]
        return ["unknown key" + nearest(location[-1], known)]
    if problem["type"] in {"literal_error", "enum"}:
        expected = _QUOTED.findall(str(context.get("expected", "")))
        return [problem["msg"] + nearest(problem["input"], expected)]
    error = context.get("error")
    if type(error) is ValueError and error.args:
        # A validator that finds several problems raises one ValueError with all of them.
        return [str(text) for text in error.args]
    return [str(problem["msg"]).removeprefix("Value error, ")]


def known_keys(model: type[BaseModel] | None, location: Sequence[int | str]) -> list[str]:
    """Return the keys of the table at this place below a model; none if it has no model."""
    for part in location:
        if model is None:
            break
        field = model.model_fields.get(str(part))
        if field is not None:
            model = _model_in(field.annotation)
        # Otherwise the part is the name or number of an entry in a field with several.
    return [] if model is None else [name for name in model.model_fields if name != "options"]


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
