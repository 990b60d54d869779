"""Sends what a gateway would send."""

import json

import click

from router.commands.actions.configured import endpoint_name, load_settings
from router.commands.invocation import Invocation
from router.edge.endpoints import build_endpoints
from router.evaluation.data_dir import DataDir
from router.evaluation.send import (
    TAMPERS,
    Sent,
    SimulatedOrder,
    as_gateway,
    check_amount,
    orders,
    post,
    simulate,
)
from router.terminal.exits import EXIT_PROBLEM, CommandError


def send_deliveries(  # noqa: PLR0913 - one argument per option
    invocation: Invocation,
    provider: str,
    *,
    endpoint: str | None,
    event_type: str,
    reference: str,
    variant: str | None,
    amount: str,
    currency: str,
    count: int,
    url: str | None,
    tamper: str | None,
    as_json: bool,
) -> None:
    """Send deliveries signed with the endpoint's secret and print the edge's answers."""
    settings = load_settings(invocation)
    check_amount(amount)
    name = endpoint_name(settings, provider, endpoint)
    signing_key = DataDir(invocation.place.data_dir).signing_key(name)
    target = as_gateway(build_endpoints(settings)[name], signing_key)
    secret = settings.endpoints[name].token
    base = url or f"http://{settings.edge.host}:{settings.edge.port}"
    make = TAMPERS[tamper] if tamper else simulate
    right = 0
    for order in orders(SimulatedOrder(event_type, reference, amount, currency, variant), count):
        delivery = make(target, order)
        try:
            answered = post(base, delivery, secret.get_secret_value() if secret else None)
        except OSError as error:
            message = f"cannot connect to {base}: {error}; is `payrouter dev` running here?"
            raise CommandError(message) from None
        sent = Sent(order, name, tamper, answered)
        right += sent.as_expected
        click.echo(json.dumps(sent.as_json()) if as_json else str(sent))
    if right < count:
        raise SystemExit(EXIT_PROBLEM)
