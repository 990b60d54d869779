"""Every correctly signed delivery is stored, with any shape and any content type."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from router.contract.quarantine import Quarantined
from router.contract.wire import decode_event
from router.delivery import Delivery, kept_delivery
from router.edge.routes import Edge
from router.errors import Reason
from router.quarantine.reader import QuarantineEntry
from router.quarantine.replay import replay_verdict
from tests.conformance import kit
from tests.conformance.kit import Case, Told
from tests.conformance.misshapen import shapes

CONTENT_TYPES: Sequence[str | None] = (
    None,
    "text/plain",
    "application/octet-stream",
    "{right}; charset=utf-8",
    "{right}; charset=iso-8859-1",
)
"""Wrong content types; None means no header."""


def _everyday() -> list[Case]:
    """Return a case of each form that a gateway's message can have."""
    found: dict[tuple[str, str, str | None], Case] = {}
    for case in kit.cases():
        found.setdefault((case.provider, case.kind, case.variant), case)
    return list(found.values())


def _under_every_content_type(delivery: Delivery) -> Iterator[Delivery]:
    yield delivery
    (right,) = delivery.header("content-type") or ("text/html",)
    for kind in CONTENT_TYPES:
        given = () if kind is None else (kind.replace("{right}", right),)
        yield kit.with_header(delivery, "content-type", *given)


def _counted(edge: Edge, told: Told) -> int:
    provider = edge.gates["shop-1"].endpoint.provider.name
    counter = edge.metrics.deliveries.labels("shop-1", provider, told.outcome)
    if told.outcome == "quarantined":
        counter = edge.metrics.delivery_reasons.labels(provider, told.outcome, told.reason)
    return counter.value


def _assert_success(own: kit.Side, told: Told) -> None:
    answer = own.provider.answer
    assert (told.asked.status, told.asked.body) == (answer.status, answer.body)
    assert told.outcome in {"accepted", "quarantined"}


def _assert_kept(own: kit.Side, case: Case, sent: Delivery, told: Told) -> None:
    """Assert that there is the right event, or the complete delivery on quarantine."""
    if told.outcome == "accepted":
        events = [decode_event(one.value, one.headers) for one in told.asked.published]
        assert [event.id for event in events] == [event.id for event in kit.events(case)]
        assert [event.amount for event in events] == [one.amount for one in kit.events(case)]
        return
    (record,) = told.asked.published
    kept = Quarantined.model_validate_json(record.value)
    assert (record.topic, kept.reason) == ("t.quarantine", told.reason)
    again = kept_delivery(kept.raw, kept.endpoint, kept.account, kept.received_at)
    assert (again.body, again.target) == (sent.body, sent.target)
    verdict = replay_verdict(QuarantineEntry(kept), {"shop-1": own.endpoint})
    assert verdict.events == ()
    assert verdict.problem is not None
    assert verdict.problem.startswith("still ")


@pytest.mark.parametrize("case", _everyday(), ids=str)
async def test_signed_delivery_of_any_shape_and_content_type_is_stored(case: Case) -> None:
    own = kit.side(case.provider)
    genuine = own.made(case)

    # An edge for each content type: the same body is written to quarantine only once.
    edges = [kit.edge(own) for _ in _under_every_content_type(genuine)]
    counts = [Counter[tuple[str, str]]() for _ in edges]

    for shape, words in shapes(kit.said(genuine)).items():
        sent_as = _under_every_content_type(kit.resigned(own, genuine, words))
        for edge, counted, sent in zip(edges, counts, sent_as, strict=True):
            told = await kit.told(edge, sent)

            _assert_success(own, told)
            _assert_kept(own, case, sent, told)
            which = (told.outcome, told.reason if told.outcome == "quarantined" else "")
            counted[which] += 1
            assert _counted(edge, told) == counted[which]
            if kit.said(genuine).startswith(b"{"):
                assert told.outcome == "quarantined", shape


@pytest.mark.parametrize("case", _everyday(), ids=str)
async def test_redelivered_malformed_delivery_is_not_stored_again(case: Case) -> None:
    own = kit.side(case.provider)
    edge, genuine = kit.edge(own), own.made(case)

    for words in shapes(kit.said(genuine)).values():
        sent = kit.resigned(own, genuine, words)
        first, again = await kit.told(edge, sent), await kit.told(edge, sent)

        _assert_success(own, again)
        assert (again.outcome, again.reason) == (first.outcome, first.reason)
        topics = {record.topic for record in again.asked.published}
        assert "t.quarantine" not in topics


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_a_genuine_delivery_is_the_same_event_under_any_content_type(case: Case) -> None:
    own = kit.side(case.provider)
    edge = kit.edge(own)

    for sent in _under_every_content_type(own.made(case)):
        told = await kit.told(edge, sent)

        assert (told.outcome, told.reason) == ("accepted", "none")
        _assert_kept(own, case, sent, told)


@pytest.mark.parametrize("case", kit.cases(), ids=str)
async def test_a_forged_delivery_is_refused_under_any_content_type(case: Case) -> None:
    own = kit.side(case.provider)
    edge = kit.edge(own)
    forged = kit.saying(own.made(case), kit.said(own.made(case)) + b" ")

    for sent in _under_every_content_type(forged):
        told = await kit.told(edge, sent)

        assert (told.asked.status, told.asked.published) == (401, ())
        assert told.reason == Reason.SIGNATURE_WRONG


@pytest.mark.parametrize("case", _everyday(), ids=str)
async def test_encoded_body_is_stored_as_signed(case: Case) -> None:
    own = kit.side(case.provider)

    for codings in (["gzip"], ["identity", "br"], ["\x00\u00e9\n" * 300]):
        sent = kit.with_header(own.made(case), "content-encoding", *codings)
        told = await kit.told(kit.edge(own), sent)

        _assert_success(own, told)
        assert (told.outcome, told.reason) == ("quarantined", "content_type")
        _assert_kept(own, case, sent, told)


@pytest.mark.parametrize("case", kit.cases(), ids=str)
def test_resigned_delivery_equals_a_simulated_one(case: Case) -> None:
    own = kit.side(case.provider)
    genuine = own.made(case)

    again = kit.resigned(own, genuine, kit.said(genuine))

    assert own.verified(again).verification == own.verified(genuine).verification
    assert sorted(again.headers) == sorted(genuine.headers)
