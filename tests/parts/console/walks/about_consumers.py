"""Walks about consumers: release a brake, retry parked, replay dead, publish refused records."""

from tests.parts.console import holding
from tests.parts.console.walks.walking import ActionWalker
from tests.parts.waiting import until


def brake(walker: ActionWalker) -> None:
    """Release the brake of the inventory, which then applies what waited behind it."""
    walker.seat.open("/groups")
    walker.link("Release the brake")
    walker.confirm("the sender of the unreadable records is corrected")
    walker.until_shown(
        "/groups", lambda main: main.get_by_text("many failures").count() == 0, "no brake"
    )
    assert "has been on since" not in walker.live.place.quick("brake", "show", "inventory").stdout


def retry(walker: ActionWalker) -> None:
    """Retry a parked record after its cause was removed; the ledger then applies it."""
    holding.mend(walker.execute)
    walker.seat.open("/groups/parked")
    (held,) = walker.tick()
    walker.link("Retry now", "#selection")
    walker.confirm("the cause was removed")
    _until_applied(walker, held, holding.PARKED)


def replay(walker: ActionWalker) -> None:
    """Replay a dead record after its cause was removed; the ledger then applies it."""
    holding.mend(walker.execute)
    walker.seat.open(f"/groups/dead?consumer={holding.CONSUMER}")
    row = walker.seat.page.locator("tbody tr", has_text="exhausted")
    held = f"{holding.CONSUMER}:{row.locator('a').first.inner_text()}"
    walker.seat.click(row.locator("a"))
    walker.link("Replay")
    walker.confirm("its cause was removed too")
    _until_applied(walker, held, holding.DEAD)


def outbox(walker: ActionWalker) -> None:
    """Publish a refused record again; the outbox is then empty."""
    walker.seat.open("/groups")
    walker.link("Publish refused records again")
    walker.confirm("the topic takes it now")
    walker.until_shown(
        "/groups/outbox", lambda main: main.locator("tbody .number").count() == 0, "nothing waits"
    )
    assert walker.value(f"SELECT count(*) FROM {holding.PUBLISHER}.outbox") == 0


def _until_applied(walker: ActionWalker, held: str, order: str) -> None:
    consumer, _, number = held.partition(":")
    query = f"SELECT state || ' ' || outcome FROM {consumer}.held WHERE id = {number}"
    until(lambda: walker.value(query) == "done applied", f"{order} applied", pause=0.3)
    walker.seat.open(f"/search?q={order}")
    assert "1 USDT" in walker.said
