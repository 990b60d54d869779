"""Lines about a wrong configuration: the nearest names, and no value that is secret."""

import pytest
from pydantic import BaseModel, ValidationError

from router.configuration.problems import known_keys, nearest, problem_lines
from router.configuration.settings import Settings

_SECRET = "sck_hidden-0123456789"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("prt", "; did you mean port?"), ("PORT ", ""), ("zzz", ""), (5, ""), ("", "")],
)
def test_only_a_name_that_is_alike_is_proposed(word: object, expected: str) -> None:
    assert nearest(word, ["port", "host"]) == expected


def test_the_keys_of_a_table_are_found_below_entries_and_optional_tables() -> None:
    assert "trusted_proxies" in known_keys(Settings, ("edge",))
    assert "tolerance_seconds" in known_keys(Settings, ("endpoints", "shop"))
    assert "options" not in known_keys(Settings, ("endpoints", "shop"))
    assert "reference" in known_keys(Settings, ("order", "fields"))
    assert known_keys(None, ("edge",)) == []


def test_an_error_whose_arguments_hold_the_value_is_not_taken_apart() -> None:
    class Model(BaseModel):
        word: str

        def model_post_init(self, _context: object) -> None:
            self.word.encode("ascii")

    with pytest.raises(ValidationError) as refused:
        Model(word=_SECRET + "ä")

    (line,) = problem_lines(refused.value)
    assert _SECRET not in line
