"""A whole deployment under every kind of fault: nothing is lost, doubled, or left over.

`make chaos` is the long form: 50,000 deliveries, 200 kills.
"""

import pytest

from tests.parts.whole_chaos.plan import Size
from tests.parts.whole_chaos.processes import missing
from tests.parts.whole_chaos.report import shown
from tests.parts.whole_chaos.run import Wanted, as_stored, run

pytestmark = [pytest.mark.kafka, pytest.mark.chaos]

DELIVERIES = 600
SEED = 117


@pytest.fixture(autouse=True)
def possible(wishes_ci: bool) -> None:  # noqa: FBT001 - a fixture
    """Skip the test if the machine lacks what it needs; in CI none is skipped."""
    reason = missing()
    if reason is not None:
        (pytest.fail if wishes_ci else pytest.skip)(reason)


async def test_every_fault_once_leaves_the_sinks_exact(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        result = await run(Wanted(SEED, Size.of(DELIVERIES), rate=60.0))
        print(f"\n{shown(as_stored(result))}")  # noqa: T201 - the result

    verdict = result.verdict
    assert verdict.clean, verdict
    assert result.deliveries >= DELIVERIES
