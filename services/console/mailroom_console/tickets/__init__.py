"""Tickets: lists, search, one ticket, drafts, and the commands that change them."""
