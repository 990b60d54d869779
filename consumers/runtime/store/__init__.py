"""The PostgreSQL database of a consumer: engine, runtime tables, migrations, batch SQL."""
