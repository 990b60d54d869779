"""Descriptions of the edge's commands, for help and completion without importing them."""

from functools import partial
from typing import Final

from router.commands.send import tree as send_tree
from router.terminal.command_tree import CommandEntry, command, group

RUN: Final = "Run"
LOOK: Final = "Look"
FIX: Final = "Fix"
SET_UP: Final = "Set up"

_HERE = "router.commands"

_SEND = "Simulate a gateway, or the merchant's platform and its orders."

EDGE: Final = command(
    "edge",
    "Serve the webhooks: verify, normalize, publish, then answer.",
    f"{_HERE}.edge:edge",
    RUN,
)
SEND: Final = CommandEntry("send", _SEND, partial(send_tree, _SEND), RUN)
REFUSED: Final = group(
    "refused",
    "Show samples of deliveries that the edge refused.",
    [
        command(
            "list",
            "List the samples on the topic, newest last, and count them by reason.",
            f"{_HERE}.refused:list_",
        ),
        command("show", "Show one sample in full.", f"{_HERE}.refused:show"),
    ],
    LOOK,
    details="Nothing in them is proven.",
)
VERIFY: Final = command(
    "verify",
    "Explain step by step why a request verifies or not.",
    f"{_HERE}.verify:verify",
    LOOK,
)
METRICS: Final = command(
    "metrics",
    "List every metric: its meaning, its labels, the processes that export it.",
    f"{_HERE}.metrics:metrics",
    LOOK,
)
QUARANTINE: Final = group(
    "quarantine",
    "Show genuine deliveries that had no effect, and replay them.",
    [
        command("list", "List quarantined deliveries, newest last.", f"{_HERE}.quarantine:list_"),
        command("show", "Show one quarantined delivery in full.", f"{_HERE}.quarantine:show"),
        command(
            "replay",
            "Verify, normalize and publish quarantined deliveries again, oldest first.",
            f"{_HERE}.quarantine:replay",
        ),
    ],
    FIX,
)
SPOOL: Final = group(
    "spool",
    "Show, check and publish deliveries stored while the broker was away.",
    [
        command(
            "show",
            "Show what waits in the spool on this machine, and what the broker refuses for good.",
            f"{_HERE}.spool:show",
        ),
        command(
            "drain",
            "Publish what waits in spools without a running edge, and what is set aside.",
            f"{_HERE}.spool:drain",
        ),
        command(
            "verify",
            "Check every file of the spool; exit with status 1 if one is damaged or foreign.",
            f"{_HERE}.spool:verify",
        ),
    ],
    FIX,
)
CONFIG: Final = group(
    "config",
    "Show and check the configuration in force, and describe every setting.",
    [
        command("show", "Show the configuration in force, secrets masked.", f"{_HERE}.config:show"),
        command(
            "keys",
            "List every setting: its default, its type, its meaning.",
            f"{_HERE}.config:keys",
        ),
        command(
            "example",
            "Print a payrouter.toml with every setting at its default, as a comment.",
            f"{_HERE}.config:example_",
        ),
        command(
            "schema",
            "Print the JSON Schema of payrouter.toml, by which editors complete and check it.",
            f"{_HERE}.config:schema",
        ),
    ],
    SET_UP,
)
TOPICS: Final = group(
    "topics",
    "Create the topics on the broker and compare them with what they need.",
    [
        command(
            "apply",
            "Create missing topics and list how the others differ from what they need.",
            f"{_HERE}.topics:apply",
        )
    ],
    SET_UP,
)
ENDPOINT: Final = group(
    "endpoint",
    "Print what is entered at a gateway for an endpoint.",
    [
        command(
            "url",
            "Print the whole URL of endpoint NAME. It contains the token: keep it secret.",
            f"{_HERE}.endpoint:url",
        )
    ],
    SET_UP,
)
COMPLETION: Final = command(
    "completion",
    "Print the script that completes commands and names in a shell.",
    f"{_HERE}.reference:completion",
    SET_UP,
)
MAN: Final = command(
    "man",
    "Print the man page: every command with its options and examples.",
    f"{_HERE}.reference:man",
    SET_UP,
)

EDGE_COMMANDS: Final = (
    *(EDGE, SEND),
    *(REFUSED, VERIFY, METRICS),
    *(QUARANTINE, SPOOL),
    *(CONFIG, TOPICS, ENDPOINT, COMPLETION, MAN),
)
"""All of them, in the order of the help."""
