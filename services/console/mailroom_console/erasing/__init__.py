"""Forgetting a person or a portal, and telling a person what is known of them."""
