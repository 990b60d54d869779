"""Ids that are derived from names are those of Python's own `uuid5`."""

import json
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from router.contract.identity import uuid_of, uuid_of_names

NAMESPACES = st.uuids()
NAMES = st.lists(
    st.none() | st.text() | st.sampled_from(['a"b', "\\", "\x00\x7f", "\u20ac \U0001f600"])
)


@given(NAMESPACES, st.text())
def test_the_id_of_a_name_is_that_of_uuid5(namespace: UUID, name: str) -> None:
    assert uuid_of(namespace, name.encode()) == uuid5(namespace, name)


@given(NAMESPACES, NAMES)
def test_the_id_of_names_is_that_of_their_json(namespace: UUID, names: list[str | None]) -> None:
    assert uuid_of_names(namespace, names) == uuid5(namespace, json.dumps(names))
