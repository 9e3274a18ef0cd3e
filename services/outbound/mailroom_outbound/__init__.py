"""Sends mail through relay, SMTP accounts and Gmail, one lane per account."""
