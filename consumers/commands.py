"""`payrouter consume`, `exporter`, `dev` and `db upgrade`."""

import click

from router.commands.invocation import Invocation, invoked
from router.terminal.command_tree import example
from router.terminal.completion import complete_consumer
from router.terminal.options import decimal_number, json_option, supervised_option, whole_number


@click.command("consume", epilog=example("consume ledger --config payrouter.toml"))
@click.argument("name", shell_complete=complete_consumer)
@invoked
@supervised_option
def consume(invocation: Invocation, name: str, *, supervised: bool) -> None:
    """Run one consumer.

    NAME is ledger, inventory, notifications, or a consumer of your own.
    """
    from consumers.processes import run_one

    run_one(invocation, name, supervised=supervised)


@click.command("exporter", epilog=example("exporter --config payrouter.toml"))
@invoked
@supervised_option
def exporter(invocation: Invocation, *, supervised: bool) -> None:
    """Export consumer progress to Prometheus, even for consumers that are down."""
    from consumers.exporting import run_exporting

    run_exporting(invocation, supervised=supervised)


@click.command("dev", epilog=example("dev", "dev --port 9000 --rate 2"))
@click.option(
    "--port",
    type=whole_number(1, 64000),
    help="Port of the edge; its metrics are 1000 above, the ports of the others follow."
    "  [default: the configuration's, or 8080]",
)
@click.option(
    "--rate",
    type=decimal_number(0.01, 1000),
    help="Simulate traffic: deliveries per second.",
)
@click.option("--public-url", help="URL by which the internet reaches this edge, to be shown.")
@click.option("-v", "--verbose", is_flag=True, help="Print the whole log of every process.")
@invoked
def dev(
    invocation: Invocation,
    port: int | None,
    rate: float | None,
    public_url: str | None,
    *,
    verbose: bool,
) -> None:
    """Run the whole system here: broker, database, edge and consumers, until Ctrl-C."""
    from consumers.development import develop
    from router.commands.actions.dev import DevOptions

    develop(invocation, DevOptions(port, rate, public_url, verbose=verbose))


@click.command("upgrade", epilog=example("db upgrade"))
@invoked
@json_option
def db_upgrade(invocation: Invocation, *, as_json: bool) -> None:
    """Bring the tables of every consumer up to this version."""
    from consumers.development import upgrade_and_show

    upgrade_and_show(invocation, as_json=as_json)
