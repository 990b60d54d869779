"""Descriptions of the consumers' commands, for help and completion without importing them."""

from typing import Final

from router.commands.tree import FIX, LOOK, RUN, SET_UP
from router.terminal.command_tree import command, group

_PROCESSES = "consumers.commands"
_RUNTIME = "consumers.runtime.commands"
_LEDGER = "consumers.ledger.commands"
_TRANSFERS = "consumers.ledger.transfers.commands"
_INVENTORY = "consumers.inventory.commands"
_NOTIFICATIONS = "consumers.notifications.commands"

DEV: Final = command(
    "dev",
    "Run the whole system here: broker, database, edge and consumers, until Ctrl-C.",
    f"{_PROCESSES}:dev",
    RUN,
)
CONSUME: Final = command("consume", "Run one consumer.", f"{_PROCESSES}:consume", RUN)
EXPORTER: Final = command(
    "exporter",
    "Export consumer progress to Prometheus, even for consumers that are down.",
    f"{_PROCESSES}:exporter",
    RUN,
)
CONSOLE: Final = command(
    "console",
    "Serve web pages for people who work with payments.",
    "consumers.console.commands:console",
    RUN,
)
DOCTOR: Final = command(
    "doctor",
    "Check broker, databases, endpoints and configuration before and after a deployment.",
    "consumers.doctor.commands:doctor",
    LOOK,
)
RIGHTS: Final = command(
    "rights",
    "Print the rights that processes need on Kafka, as commands that grant them.",
    "consumers.rights.commands:rights",
    SET_UP,
)
TRACE: Final = command(
    "trace",
    "Show all that happened to an order, payment, event or transaction.",
    f"{_RUNTIME}.trace:trace",
    LOOK,
)
OFFSETS: Final = group(
    "offsets",
    "Show how far each consumer has applied each partition, and set it.",
    [
        command(
            "show",
            "Show the offset and lag of each partition, of NAME or of every consumer.",
            f"{_RUNTIME}.offsets:show",
        ),
        command(
            "reset",
            "Set the next offset that NAME applies of a topic.",
            f"{_RUNTIME}.offsets:reset",
        ),
    ],
    LOOK,
)
LEDGER: Final = group(
    "ledger",
    "Show and check the books: balances, statements, export. Record amounts, move money.",
    [
        command(
            "balance",
            "Show the balance of every account, per currency.",
            f"{_LEDGER}:balance",
        ),
        command(
            "statement",
            "Show the newest transactions with their postings, oldest first.",
            f"{_LEDGER}:statement",
        ),
        command(
            "month",
            "Show opening balance, movements by type of event, and closing balance of MONTH.",
            f"{_LEDGER}:month_",
        ),
        command("verify", "Recompute the books from the journal.", f"{_LEDGER}:verify"),
        command(
            "export",
            "Write the journal to standard output, one posting per line, in order.",
            f"{_LEDGER}:export",
        ),
        command(
            "record",
            "Record an amount of PAYMENT that no gateway reported, or not the right one.",
            "consumers.ledger.recording.commands:record",
        ),
        command(
            "transfer",
            "Move AMOUNT from one account to another of the same merchant.",
            f"{_TRANSFERS}:transfer",
        ),
        command(
            "import",
            "Add the transfers and decisions of FILE, from `payrouter ledger export --operations`.",
            f"{_TRANSFERS}:import_",
        ),
    ],
    LOOK,
)
INVENTORY: Final = group(
    "inventory",
    "Show stock and orders, set the stock of an article, decide about orders.",
    [
        command(
            "stock",
            "Show the stock of every article, and how much is reserved or sold.",
            f"{_INVENTORY}:stock",
        ),
        command("set", "Set how many of SKU there are, sold ones included.", f"{_INVENTORY}:set_"),
        command(
            "orders",
            "Show the orders that changed last, and payments that wait for an order.",
            f"{_INVENTORY}:orders",
        ),
        command(
            "decide",
            "Decide whether ORDER counts as paid, even if its amounts differ.",
            f"{_INVENTORY}:decide",
        ),
    ],
    LOOK,
)
NOTIFICATIONS: Final = group(
    "notifications",
    "Show messages to operators and customers, resend them, test channels.",
    [
        command("list", "Show the newest messages, oldest first.", f"{_NOTIFICATIONS}:list_"),
        command(
            "show",
            "Show MESSAGE in full, with its text as it would be sent now.",
            f"{_NOTIFICATIONS}:show",
        ),
        command(
            "resend",
            "Send MESSAGES again, whether they failed or were sent.",
            f"{_NOTIFICATIONS}:resend",
        ),
        command(
            "test",
            "Send a test message by CHANNEL now and print the result.",
            f"{_NOTIFICATIONS}:test",
        ),
    ],
    LOOK,
)
CASES: Final = group(
    "cases",
    "List what needs an operator, assign it, and close what is decided.",
    [
        command(
            "list",
            "List open cases by order, the oldest first: what needs an operator.",
            f"{_RUNTIME}.cases:list_",
        ),
        command(
            "show",
            "Show CASE with its facts, the commands about it, and what operators decided.",
            f"{_RUNTIME}.cases:show",
        ),
        command(
            "assign",
            "Assign open CASES to an operator, also after their facts change.",
            f"{_RUNTIME}.cases:assign",
        ),
        command(
            "close",
            "Close CASES: they stay closed until their facts change.",
            f"{_RUNTIME}.cases:close",
        ),
        command("note", "Add a note to CASES, which stay as they are.", f"{_RUNTIME}.cases:note"),
        command(
            "reopen",
            "Open CASES again that were closed by mistake.",
            f"{_RUNTIME}.cases:reopen",
        ),
    ],
    FIX,
)
PARKED: Final = group(
    "parked",
    "List records waiting for their next retry, and retry them now.",
    [
        command(
            "list",
            "List records waiting for their next retry, oldest first.",
            f"{_RUNTIME}.held:parked_list",
        ),
        command(
            "retry",
            "Make parked records due now: the running consumer retries them at once.",
            f"{_RUNTIME}.held:parked_retry",
        ),
    ],
    FIX,
)
DLQ: Final = group(
    "dlq",
    "Show dead records, and replay them.",
    [
        command(
            "list",
            "List dead records, oldest first: they wait for an operator.",
            f"{_RUNTIME}.held:dlq_list",
        ),
        command(
            "show",
            "Show record NUMBER with its content, dead or parked.",
            f"{_RUNTIME}.held:dlq_show",
        ),
        command(
            "replay",
            "Make the running consumer try dead records again, with their event ids.",
            f"{_RUNTIME}.held:dlq_replay",
        ),
        command(
            "history",
            "List operations with author and time, newest last: replays, resets, the brake.",
            f"{_RUNTIME}.held:dlq_history",
        ),
    ],
    FIX,
)
BRAKE: Final = group(
    "brake",
    "Show or clear the brake that halts a consumer after repeated failures.",
    [
        command(
            "show",
            "Show which brakes of NAME hold, since when and why.",
            f"{_RUNTIME}.brake:show",
        ),
        command(
            "clear",
            "Release the brakes of NAME: it continues where it stopped.",
            f"{_RUNTIME}.brake:clear",
        ),
    ],
    FIX,
)
OUTBOX: Final = group(
    "outbox",
    "Show records that a consumer has to publish, and publish refused ones again.",
    [
        command(
            "show",
            "Show how many records wait to be published, and which the broker refused for good.",
            f"{_RUNTIME}.outbox:show",
        ),
        command(
            "retry",
            "Publish refused records again, after their topic was changed.",
            f"{_RUNTIME}.outbox:retry",
        ),
    ],
    FIX,
)
DB: Final = group(
    "db",
    "Set up the consumers' tables and roles.",
    [
        command(
            "upgrade",
            "Bring the tables of every consumer up to this version.",
            f"{_PROCESSES}:db_upgrade",
        ),
        command(
            "roles",
            "Create the database roles of the configuration's URLs, with least privilege.",
            "consumers.roles.commands:roles",
        ),
    ],
    SET_UP,
)
