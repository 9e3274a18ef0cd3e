"""Portals: names, domains, DKIM keys and what DNS says of them."""
