"""The database: connections, tables, migrations, the outbox of publications."""
