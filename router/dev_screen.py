"""What `payrouter dev` tells a person: what runs where, and what to try next."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.dev import Running


def show(console: Console, running: Running, base: str, public: str | None) -> None:
    """Print what runs where, the webhook URLs, and what to try."""
    table = Table(title="payrouter dev", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for what, where in _rows(running, public or base):
        table.add_row(what, Text(where))
    console.print(table)
    console.print("\nTry, in another terminal:")
    for line in _suggestions(running):
        console.print(Text(f"  {line}", style="cyan"))
    console.print("\nCtrl-C stops everything, in order.")


def _rows(running: Running, base: str) -> Sequence[tuple[str, str]]:
    settings = running.settings
    broker = "evaluation broker, in memory" if running.own_broker else "yours"
    database = "PostgreSQL, kept in the data directory" if running.own_database else "yours"
    rows = [("broker", f"{running.bootstrap}  ({broker})")]
    rows.append(("database", f"{database}" if running.own_database else running.database))
    for name, endpoint in settings.endpoints.items():
        token = "/{token}" if endpoint.token else ""
        rows.append((f"webhook {name}", f"{base}/webhooks/{name}{token}"))
    rows += [(f"metrics {child.name}", f"{child.management}/metrics") for child in running.children]
    return rows


def _suggestions(running: Running) -> Sequence[str]:
    endpoints = running.settings.endpoints.values()
    provider = next((endpoint.provider for endpoint in endpoints), "blockatm")
    return (
        f"payrouter send {provider} --order A-1 --amount 100.50 --currency USDT",
        "payrouter ledger balance",
        "payrouter ledger statement --order A-1",
        f"payrouter send {provider} --order A-1 --tamper body     # forged: answered 401",
        "payrouter offsets show",
    )
