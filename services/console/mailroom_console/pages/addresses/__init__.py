"""Pages of email addresses."""
