"""`payrouter send`: plays the gateway from the command line."""

import json

import click

from router.commands.invocation import EXIT_PROBLEM, Invocation, endpoint_name, invoked, json_option
from router.edge.endpoints import build_endpoints
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


@click.command()
@click.argument("provider")
@click.option("--endpoint", help="Endpoint to send to; default: the first one of the provider.")
@click.option(
    "--type",
    "event_type",
    default="payment.confirmed",
    show_default=True,
    help="What happened, such as payment.pending or payout.confirmed.",
)
@click.option("--order", "reference", default="A-1", show_default=True, help="The order's number.")
@click.option("--variant", help="Which of the gateway's forms, such as custom-get of blockbee.")
@click.option("--amount", default="100.50", show_default=True, help="How much was paid.")
@click.option("--currency", default="USDT", show_default=True, help="In which currency.")
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    help="How many orders; with more than one, -1, -2 and so on follow the number.",
)
@click.option("--url", help="Base URL of the edge; default: the one running here.")
@click.option(
    "--tamper", type=click.Choice(sorted(TAMPERS)), help="Spoil it; the edge has to refuse."
)
@invoked
@json_option
def send(  # noqa: PLR0913, PLR0917 - one argument per option
    invocation: Invocation,
    provider: str,
    endpoint: str | None,
    event_type: str,
    reference: str,
    variant: str | None,
    amount: str,
    currency: str,
    count: int,
    url: str | None,
    tamper: str | None,
    *,
    as_json: bool,
) -> None:
    """Send what a gateway would send: genuine deliveries, signed with the endpoint's secret."""
    settings = invocation.settings()
    check_amount(amount)
    name = endpoint_name(settings, provider, endpoint)
    signing_key = invocation.data_dir.signing_key(name)
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
            message = f"nobody answers at {base}; does `payrouter dev` run here? ({error})"
            raise click.ClickException(message) from None
        sent = Sent(order, name, tamper, answered)
        right += sent.as_expected
        click.echo(json.dumps(sent.as_json()) if as_json else str(sent))
    if right < count:
        raise SystemExit(EXIT_PROBLEM)
