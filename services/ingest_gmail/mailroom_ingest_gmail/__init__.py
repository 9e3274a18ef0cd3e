"""Gmail intake: history sync to email.received."""
