"""What `payrouter topics apply` prints of topics that the broker does not show."""

import pytest

from router.broker.topics.apply import TopicReport, TopicResult, TopicsReport
from router.commands.actions.topics import show

WHY = "the broker does not show its configuration"


def test_a_topic_that_is_not_shown_is_one_row_and_each_reason_is_given_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    topics = [TopicReport(name, TopicResult.THERE, (), (), WHY) for name in ("payment", "payout")]

    show(TopicsReport(topics))

    heading, payment, payout, why = capsys.readouterr().out.splitlines()
    assert heading.split() == ["topic", "what", "wanted", "found", "action"]
    assert payment.split() == ["payment", "configuration", "not", "shown", "there"]
    assert payout.split() == ["payout", "configuration", "not", "shown", "there"]
    assert why == f"{WHY} (payment, payout)"


def test_many_topics_that_are_not_shown_are_named_in_lines_of_eighty_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [f"shop.payment.ledger-{number}.dlq" for number in range(20)]
    topics = [TopicReport(name, TopicResult.THERE, (), (), WHY) for name in names]

    show(TopicsReport(topics))

    notes = capsys.readouterr().out.splitlines()[1 + len(topics) :]
    assert max(map(len, notes)) <= 80
    assert " ".join(line.strip() for line in notes) == f"{WHY} ({', '.join(names)})"
