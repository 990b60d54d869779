"""Topics that the installed consumers need in addition to those of the edge."""

from consumers.discovery import discover, topics_beside, topics_of
from router.contract.topics import Topics

NAMES = Topics("eu.", (("order", "purchases"),))


def test_a_topic_of_outcomes_is_not_foreign_to_its_reader() -> None:
    services = discover()
    beside = topics_beside(NAMES, services)
    assert "eu.inventory.outcome" in topics_of(services["notifications"], NAMES)
    assert {f"eu.{name}.outcome" for name in services} == set(beside.passing)
    assert beside.foreign == ["eu.purchases"]
    assert "eu.inventory.outcome.notifications.dlq" in beside.kept


def test_a_reader_needs_the_outcomes_of_a_consumer_that_is_not_installed() -> None:
    alone = {"notifications": discover()["notifications"]}
    beside = topics_beside(NAMES, alone)
    assert set(beside.passing) == {"eu.inventory.outcome", "eu.notifications.outcome"}
    assert beside.foreign == ["eu.purchases"]
