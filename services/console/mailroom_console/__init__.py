"""Web pages and API: configuration, tickets, activity."""
