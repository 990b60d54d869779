"""A consumer that keeps a tally of what was paid, per account and currency."""

from consumers.runtime.service import Service
from payrouter_tally.commands import show
from payrouter_tally.handler import handle
from payrouter_tally.tables import METADATA

SERVICE = Service(
    name="tally",
    topics=("payment",),
    handle=handle,
    tables=METADATA,
    migrations="payrouter_tally.migrations",
    commands=[show],
)
