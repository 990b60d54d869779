"""The canonical text of several values: stored ids and fingerprints depend on each of its bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.identity import canonical

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.none() | _TEXT))
def test_canonical_text_is_compact_json_without_escapes_for_letters(
    values: list[str | None],
) -> None:
    compact = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    assert canonical(values) == compact.encode()


def test_lone_surrogate_has_no_canonical_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        canonical(["\ud800"])
