"""The blob store: raw sources, attachments, and what is too large for a record."""
