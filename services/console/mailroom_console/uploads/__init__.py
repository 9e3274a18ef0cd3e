"""Files for replies and notes."""
