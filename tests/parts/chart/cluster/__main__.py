"""`make chart-cluster`: apply the renderings to a real API server, and install by helm.

Definitions of kinds other than KEDA's and the Gateway API's are read from the folder of --crds.
"""

import sys
from collections import Counter
from pathlib import Path

import click

from tests.parts.chart.cluster.checking import check_all
from tests.parts.chart.cluster.installing import install_and_upgrade
from tests.parts.chart.cluster.schemas import write_schemas
from tests.parts.chart.cluster.server import running_server


@click.command()
@click.option("--crds", type=click.Path(path_type=Path, exists=True), help="Folder of definitions.")
@click.option("--schemas", is_flag=True, help="Write tests/samples/chart/kubernetes.json again.")
def main(crds: Path | None, *, schemas: bool) -> None:
    """Print what was checked, and a line for each object that is refused or warned about."""
    counts: Counter[str] = Counter()
    with running_server() as server:
        problems = [*check_all(server, crds, counts), *install_and_upgrade(server, counts)]
        if schemas:
            write_schemas(server)
    for line in problems:
        click.echo(line, err=True)
    for what, number in counts.items():
        click.echo(f"{number:4} {what}")
    click.echo(f"{len(problems):4} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
