"""Decides and renders automatic replies (RFC 3834)."""
