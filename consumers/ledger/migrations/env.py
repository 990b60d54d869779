"""Entry point for Alembic; all consumers share one environment."""

from consumers.runtime.migrations.environment import run

run()
