"""`make chart`: lint, render and package the chart with helm, and write tests/samples/chart."""

import sys

import click

from tests.parts.chart.rendering import RenderingError, find_helm, lint, package, refuse, write


def main() -> int:
    """Check the chart with helm and write its renderings; 1 if it is wrong or they differed."""
    helm = find_helm()
    try:
        lint(helm)
        refuse(helm)
        package(helm)
        changed = list(write(helm))
    except RenderingError as error:
        click.echo(error, err=True)
        return 1
    click.echo(f"changed: {', '.join(changed)}" if changed else "nothing changed")
    return 1 if changed and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
