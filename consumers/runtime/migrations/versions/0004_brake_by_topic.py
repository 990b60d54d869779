"""One brake per topic instead of one per consumer, and the topic id in fences."""

import sqlalchemy as sa
from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change both tables. A brake that holds is copied to every topic read so far."""
    op.add_column("fence", sa.Column("topic_id", sa.Uuid), schema=schema())
    op.add_column("brake", sa.Column("topic", sa.Text), schema=schema())
    # The primary key and the check that there is one row go with their column.
    op.drop_column("brake", "id", schema=schema())
    brake = _brake()
    op.execute(_one_for_each_topic(brake))
    op.execute(brake.delete().where(brake.c.topic.is_(None)))
    op.create_primary_key("brake_pkey", "brake", ["topic"], schema=schema())


def _one_for_each_topic(brake: sa.TableClause) -> sa.Insert:
    fence = sa.table("fence", sa.column("topic"), schema=schema())
    topics = sa.select(fence.c.topic).distinct().subquery()
    columns = ("streak", "held_since", "detail")
    held = sa.select(topics.c.topic, *(brake.c[name] for name in columns)).select_from(
        topics.join(brake, brake.c.held_since.is_not(None))
    )
    return brake.insert().from_select(["topic", *columns], held)


def _brake() -> sa.TableClause:
    names = ("topic", "streak", "held_since", "detail")
    return sa.table("brake", *map(sa.column, names), schema=schema())
