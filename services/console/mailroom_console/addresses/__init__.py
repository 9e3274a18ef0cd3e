"""Email addresses: their settings, checks, sign-in with Google, forwarding."""
