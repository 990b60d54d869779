"""The answer to a refused delivery."""

import pytest

from router.edge.summary import Summary
from router.errors import Reason, Unwelcome


@pytest.mark.parametrize("status", [400, 404, 410, 415, 422])
def test_a_refusal_is_answered_with_its_status_whichever_a_provider_chose(status: int) -> None:
    response = Summary(None, "203.0.113.7").refused(Unwelcome(Reason.CONTENT_TYPE, status))

    assert response.status == status
    assert response.body
