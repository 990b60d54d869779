"""The answer to a refused delivery."""

import pytest

from router.edge.summary import Summary
from router.errors import Reason, Unwelcome


@pytest.mark.parametrize("status", [400, 404, 410, 415, 422])
def test_refusal_is_answered_with_any_status_of_a_provider(status: int) -> None:
    response = Summary(None, "203.0.113.7").refused(Unwelcome(Reason.CONTENT_TYPE, status))

    assert response.status == status
    assert response.body
