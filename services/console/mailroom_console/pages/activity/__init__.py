"""Pages of what happens and what went wrong."""
