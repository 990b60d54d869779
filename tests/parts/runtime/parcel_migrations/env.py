"""Where Alembic enters; the environment is the one of every consumer."""

from consumers.runtime.migrations.environment import run

run()
