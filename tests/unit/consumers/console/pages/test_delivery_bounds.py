"""The end of a page of deliveries, as text of a URL."""

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumers.console.pages.deliveries.bounds import bounds_from, bounds_text

TOPICS = ["payment", "payout", "subscription", "quarantine", "refused"]
PARTITIONS = st.builds(TopicPartition, st.sampled_from(TOPICS), st.integers(0, 999_999))


@given(st.dictionaries(PARTITIONS, st.integers(0, 10**18 - 1), min_size=1))
def test_bounds_written_as_text_are_read_back(bounds: dict[TopicPartition, int]) -> None:
    assert bounds_from(bounds_text(bounds, TOPICS), TOPICS) == bounds


def test_the_text_needs_no_escaping_in_a_url() -> None:
    bounds = {TopicPartition("refused", 3): 12, TopicPartition("payment", 0): 7}

    assert bounds_text(bounds, TOPICS) == "0.0.7_4.3.12"
