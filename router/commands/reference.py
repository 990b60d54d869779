"""`payrouter completion` and `payrouter man`: generated from the commands themselves."""

import click

from router.terminal import completion as shells
from router.terminal.command_tree import CommandTree, example


@click.command(
    "completion",
    epilog=example(
        "completion bash > /etc/bash_completion.d/payrouter",
        "completion zsh > ~/.zfunc/_payrouter",
        "completion fish > ~/.config/fish/completions/payrouter.fish",
    ),
)
@click.argument("shell", type=click.Choice(shells.SHELLS), metavar="SHELL")
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and names in a shell.

    SHELL is bash, zsh or fish.
    """
    click.echo(shells.script(ctx.find_root().command, shell))


@click.command("man", epilog=example("man | man -l -", "man --markdown > docs/cli.md"))
@click.option("--markdown", "as_page", is_flag=True, help="Print the page of the documentation.")
@click.pass_context
def man(ctx: click.Context, *, as_page: bool) -> None:
    """Print the man page: every command with its options and examples."""
    from router.terminal.reference import man_page, markdown

    root = ctx.find_root().command
    assert isinstance(root, CommandTree)  # noqa: S101 - for mypy
    click.echo(markdown(root) if as_page else man_page(root), nl=False)
