"""Pages of tickets: lists, one ticket, its messages and files."""
