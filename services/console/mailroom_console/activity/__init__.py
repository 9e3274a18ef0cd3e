"""What happens now and what went wrong: waiting mail, bounces, dead letters."""
