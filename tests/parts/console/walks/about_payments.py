"""Walks about deliveries and messages: replay, resend, test delivery."""

from typing import Final

from tests.parts.console import shop
from tests.parts.console.walks.walking import ActionWalker
from tests.parts.waiting import until

ORDER: Final = "A-301"


def replay(walker: ActionWalker) -> None:
    """Replay what an unknown status quarantined; its event then exists."""
    assert shop.acme(walker.live.dev.port, "settled", ORDER, "12") == 200
    walker.until_shown(
        f"/search?q={ORDER}",
        lambda main: main.get_by_role("link", name="Replay it").count() > 0,
        "the delivery on quarantine",
    )
    walker.link("Replay it")
    walker.confirm("the mapping has this word now")
    walker.until_shown(
        f"/search?q={ORDER}",
        lambda main: (
            "12 EUR" in main.inner_text()
            and main.get_by_role("link", name="Replay it").count() == 0
        ),
        "the event of the delivery",
    )


def resend(walker: ActionWalker) -> None:
    """Send a message again; it is then sent a second time."""
    walker.seat.open("/books/messages?state=sent")
    (message,) = walker.tick()
    walker.link("Send the selected messages again")
    walker.confirm("the customer lost it")
    query = f"SELECT state || ' ' || edition FROM notifications.message WHERE id = '{message}'"
    until(lambda: walker.value(query) == "sent 1", "the message is sent again", pause=0.3)
    walker.seat.open(f"/books/message/{message}")
    assert "sent" in walker.said


def trial(walker: ActionWalker) -> None:
    """Send a test delivery from the page of its endpoint; the edge then accepts it."""
    walker.seat.open(f"/endpoints/{shop.TRIAL_ENDPOINT}")
    walker.link("Send a test delivery")
    walker.confirm("is the gateway's sandbox set up?")
    assert "the edge answered 200" in walker.said
