"""Tickets as pages and API see them, made from `ticket.events`."""
