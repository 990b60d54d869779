"""`payrouter send`: one command per gateway, and one for the platform's orders."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import CommandEntry, CommandTree, command, example
from router.terminal.completion import complete_endpoint, provider_names
from router.terminal.options import json_option, whole_number

TAMPERS = ("body", "headers", "key", "time")
"""Names of the ways to forge a delivery; listed here so that --help need not import them."""

_DOCUMENTED = "blockatm"
"""Gateway that the reference documents as an example: they differ only in the name."""

_count = click.option(
    "--count",
    type=whole_number(1, 100_000),
    default=1,
    show_default=True,
    help="Number of orders; more than one get -1, -2 and so on after the reference.",
)


def tree(summary: str) -> CommandTree:
    """Return the group `send`; the gateways are those that are installed."""
    order = command(
        "order",
        "Place an order as the merchant's platform does, or cancel it.",
        f"{__name__}:order",
    )
    details = "Every gateway has the same options."
    return CommandTree("send", [order], summary=summary, details=details, more=_gateways)


def _gateways() -> Iterable[CommandEntry]:
    for name in provider_names():
        summary = f"Send what {name} would send."
        yield CommandEntry(name, summary, partial(_gateway, name), documented=name == _DOCUMENTED)


def _gateway(name: str) -> click.Command:
    """Return the command that plays one gateway."""

    @click.command(name, epilog=example(f"send {name} --order A-1 --amount 100.50 --currency USDT"))
    @click.option(
        "--endpoint",
        shell_complete=complete_endpoint,
        help="Endpoint to send to; default: the first one of the gateway.",
    )
    @click.option(
        "--type",
        "event_type",
        default="payment.confirmed",
        show_default=True,
        help="What happened, such as payment.pending or payout.confirmed.",
    )
    @click.option(
        "--order", "reference", default="A-1", show_default=True, help="Reference of the order."
    )
    @click.option("--variant", help="Form of the message, such as custom-get of blockbee.")
    @click.option("--amount", default="100.50", show_default=True, help="Amount that was paid.")
    @click.option("--currency", default="USDT", show_default=True, help="Currency of the amount.")
    @_count
    @click.option("--url", help="Base URL of the edge; default: the one running here.")
    @click.option(
        "--tamper",
        type=click.Choice(TAMPERS),
        help="Spoil the delivery; the edge has to refuse it.",
    )
    @invoked
    @json_option
    def send(invocation: Invocation, *, as_json: bool, **asked: Any) -> None:  # noqa: ANN401 - options
        from router.commands.actions.send import send_deliveries

        send_deliveries(invocation, name, as_json=as_json, **asked)

    send.help = (
        f"Send what {name} would send.\n\nSends genuine deliveries, signed with the endpoint's"
        " secret. Exits with status 1 if the edge does not answer as expected."
    )
    return send


@click.command(
    "order", epilog=example("send order --order A-1 --line tea=2 --total 100.50 --currency USDT")
)
@click.option(
    "--order",
    "--reference",
    "reference",
    default="A-1",
    show_default=True,
    help="Reference of the order.",
)
@click.option("--account", help="Merchant; default: the only one, or the first.")
@click.option(
    "--line",
    "lines",
    multiple=True,
    metavar="SKU=QUANTITY",
    help="Article and quantity, once for each article; default: tea=1.",
)
@click.option("--total", default="100.50", show_default=True, help="Price of the order.")
@click.option("--currency", default="USDT", show_default=True, help="Currency of the price.")
@click.option("--email", help="Address of the customer.")
@click.option("--language", help="Language of the customer, such as de.")
@click.option("--ttl", type=int, metavar="SECONDS", help="Seconds that the reservation lasts.")
@click.option("--cancel", is_flag=True, help="Cancel the order instead.")
@_count
@invoked
@json_option
def order(
    invocation: Invocation,
    *,
    account: str | None,
    count: int,
    as_json: bool,
    **asked: Any,  # noqa: ANN401 - options
) -> None:
    """Place an order as the merchant's platform does, or cancel it."""
    from router.commands.actions.send_order import send_orders

    send_orders(invocation, account, count, as_json=as_json, **asked)
