"""Action that releases a brake."""

from typing import Final

from consumers.console.access.viewer import Role
from consumers.console.acting.action import ActionDone, ActionPreview, ConsoleAction
from consumers.console.pages.groups.held_rows import asked_consumers
from consumers.console.web.form_fields import FormFields
from consumers.console.web.problems import WrongInput
from consumers.console.web.visit import ConsoleVisit
from consumers.runtime.apply.brake import holding, read_brakes, release_command
from consumers.runtime.commands.actions.brake import release_brakes

_TOPIC: Final = "topic"


def make_brake_action() -> ConsoleAction:
    """Return the action."""
    return ConsoleAction("brake", "groups.brake", Role.OPERATOR, _preview, _run, back="/groups")


async def _preview(visit: ConsoleVisit, given: FormFields) -> ActionPreview:
    (name,) = asked_consumers(visit, {"consumer": given.one("consumer")})
    consumer, topic = visit.sources.consumers[name], given.one(_TOPIC)
    async with visit.reading(name) as connection:
        brakes = await read_brakes(connection, consumer.tables)
    known = consumer.topics | brakes.keys()
    if topic and topic not in known:
        raise WrongInput(_TOPIC, ", ".join(sorted(known)))
    found = [each for each in holding(brakes).values() if topic in {"", each.topic}]
    return ActionPreview(
        count=len(found),
        accounts=frozenset({None}),
        lines=list(map(str, found)),
        command=release_command(name, [topic] if topic else []),
    )


async def _run(visit: ConsoleVisit, given: FormFields, reason: str) -> ActionDone:
    name, topic = given.one("consumer"), given.one(_TOPIC) or None
    async with visit.acting(name) as engine, engine.begin() as transaction:
        consumer = visit.sources.consumers[name]
        released = await release_brakes(transaction, consumer, topic, visit.who, reason)
    return ActionDone(visit.count("groups.brake.done", len(released)), "/groups")
