"""`payrouter send`: a command per gateway, and one for the platform's orders."""

from functools import partial

import click

from router.providers import discover


class Senders(click.Group):
    """Finds the gateways when it is asked for them: none is looked for at the start."""

    gateway: click.Command
    """What sends for any gateway; its argument `provider` says for which."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name who can be played."""
        del ctx
        return ["order", *sorted(discover())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return the command of a gateway, which itself says where there is no such."""
        del ctx
        if cmd_name == "order":
            from router.commands.send_order import send_order  # noqa: PLC0415 - it needs the command line

            return send_order
        gateway = self.gateway
        return click.Command(
            cmd_name,
            params=[each for each in gateway.params if each.name != "provider"],
            callback=partial(gateway.callback or print, provider=cmd_name),
            help=gateway.help,
            short_help=f"Send what {cmd_name} would send.",
        )


def senders(gateway: click.Command) -> click.Group:
    """Return the group `send` of a command that sends for any gateway."""
    group = Senders("send", help="Play a gateway, or the merchant's platform with its orders.")
    group.gateway = gateway
    return group
