"""Screen of `payrouter dev`: what runs where, and what to try next."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.evaluation.system import Running
from router.providers import endpoint_target
from router.terminal.options import DATA_DIR


def show(console: Console, running: Running) -> None:
    """Print what runs where, the webhook URLs, and what to try."""
    table = Table(title="payrouter dev", title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for what, where in _rows(running):
        table.add_row(what, Text(where))
    console.print(table)
    console.print("\nTry, in another terminal, in this folder:")
    for line in _suggestions(running):
        console.print(Text(f"  {line}", style="cyan"), soft_wrap=True)
    console.print("\nCtrl-C stops everything, in order.")


def _rows(running: Running) -> Sequence[tuple[str, str]]:
    settings = running.settings
    broker = "for evaluation, in memory" if running.own_broker else "yours"
    database = "PostgreSQL, kept in the data directory" if running.own_database else "yours"
    made = "yours" if running.plan.given else "made here, with random secrets"
    rows = [("console", running.plan.console_url)]
    rows.append(("configuration", f"{running.plan.config}  ({made})"))
    rows.append(("broker", f"{running.bootstrap}  ({broker})"))
    rows.append(("database", database if running.own_database else f"{running.database}  (yours)"))
    for name, endpoint in settings.endpoints.items():
        base = endpoint.public_url or running.plan.public_url
        target = endpoint_target(name, has_token=endpoint.token is not None)
        rows.append((f"webhook {name}", base + target))
    rows += [(f"metrics {child.name}", f"{child.management}/metrics") for child in running.children]
    return rows


def _suggestions(running: Running) -> Sequence[str]:
    endpoints = running.settings.endpoints.values()
    provider = next((endpoint.provider for endpoint in endpoints), "blockatm")
    folder = running.plan.data_dir.path
    where = "" if folder == DATA_DIR else f" --data-dir {shlex.quote(str(folder))}"
    arguments = (
        f"inventory set tea 10{where}",
        f"send order --order A-1 --line tea=2 --total 100.50 --currency USDT{where}",
        f"send {provider} --order A-1 --amount 100.50 --currency USDT{where}",
        f"inventory orders{where}",
        f"ledger balance{where}",
        f"ledger statement --order A-1{where}",
        f"notifications list --order A-1{where}",
        f"trace A-1{where}",
        f"send {provider} --order A-1 --tamper body{where}     # forged: answered 401",
        f"offsets show{where}",
    )
    return [f"{_program()} {rest}" for rest in arguments]


def _program() -> str:
    """Return how this command is called from here: by name only if the shell finds that one."""
    own = Path(sys.argv[0])
    if own.name != "payrouter":
        return f"{shlex.quote(sys.executable)} -m consumers"
    found = shutil.which("payrouter")
    if found is not None and Path(found).resolve() == own.resolve():
        return "payrouter"
    return shlex.quote(str(own))
