"""Redis or Valkey: connections, and who is online."""
