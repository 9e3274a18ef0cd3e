"""Pages to sign in and of one's own account."""
