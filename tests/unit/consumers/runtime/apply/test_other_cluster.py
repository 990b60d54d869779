"""Which partitions get no fence, because their topic was read from another cluster so far."""

import pytest

from consumers.runtime.apply.process import of_another_cluster
from consumers.runtime.records import Partition

P0, P1, P5 = (Partition("payment", number) for number in (0, 1, 5))
O0 = Partition("order", 0)


@pytest.mark.parametrize(
    ("known", "elsewhere", "expected"),
    [
        ((), (), set()),  # the first start ever
        ((), (P0, P1), {P0, P1, P5}),  # one that was added in the new cluster, too
        ((P0, P1), (P0, P1), set()),  # added after the move: read from its start
        ((P0,), (P0, P1), {P1}),  # only one was reset by the operator
        ((), (O0,), set()),  # another topic was read there
        ((O0,), (O0, P0), {P0, P1, P5}),
    ],
)
def test_a_partition_without_a_fence_begins_only_if_no_other_cluster_had_its_topic(
    known: tuple[Partition, ...], elsewhere: tuple[Partition, ...], expected: set[Partition]
) -> None:
    assert of_another_cluster((P0, P1, P5), known, elsewhere) == expected
