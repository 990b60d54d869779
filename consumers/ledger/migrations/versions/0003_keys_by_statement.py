"""Checks four keys of the journal once per statement instead of once per row.

PostgreSQL checks a foreign key with a query for every row, which was the largest part of a batch's
time in the database. A statement trigger checks all rows that a statement inserted with one query,
and raises the same error. Nothing else of the keys is lost: what they refer to is append-only, so
it is neither deleted nor changed, and neither are the rows that refer to it.
"""

from alembic import op

from consumers.runtime.migrations.environment import schema

revision = "0003"
down_revision = "0002"

_KEYS = (
    ("transaction", "event_id", "event", "event_id"),
    ("transaction", "transfer_id", "transfer", "id"),
    ("posting", "transaction_id", "transaction", "id"),
    ("posting", "account_id", "account", "id"),
)
"""Table, column, and the table and column that it refers to."""

# The settings keep it at one search of the index per key, as foreign keys do: a plan made while the
# journal was small would otherwise read all of it, in every batch, until the next ANALYZE.
_REQUIRE = """
CREATE FUNCTION {schema}.require_{name}() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wrong text;
BEGIN
    SELECT named.key::text INTO wrong
    FROM (SELECT DISTINCT {column} AS key FROM inserted WHERE {column} IS NOT NULL) AS named
    WHERE NOT EXISTS (SELECT FROM {schema}.{parent} WHERE {parent}.{key} = named.key) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'insert on table "{table}" violates foreign key constraint "{name}_fkey"'
            USING ERRCODE = 'foreign_key_violation',
                DETAIL = format('Key ({column})=(%s) is not present in table "{parent}".', wrong),
                SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = '{name}_fkey';
    END IF;
    RETURN NULL;
END
$$
"""

# Triggers fire in the order of their names: before the one that keeps the balances.
_REQUIRED = """
CREATE TRIGGER has_{column} AFTER INSERT ON {schema}.{table}
REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.require_{name}()
"""

# In the order in which consumers write to them, so that none waits for the other.
_ORDER = ("event", "transfer", "transaction", "account", "posting")


def upgrade() -> None:
    """Create the triggers and drop the keys, while nothing is inserted.

    Consumers of the version before may still write: their rows are checked alike.
    """
    quoted = op.get_bind().dialect.identifier_preparer.quote_schema(schema())
    op.execute(f"LOCK TABLE {', '.join(f'{quoted}.{each}' for each in _ORDER)}")
    for table, column, parent, key in _KEYS:
        names = {"schema": quoted, "table": table, "column": column, "parent": parent, "key": key}
        for statement in (_REQUIRE, _REQUIRED):
            op.execute(statement.format(**names, name=f"{table}_{column}"))
        op.drop_constraint(f"{table}_{column}_fkey", table, schema=schema(), type_="foreignkey")
