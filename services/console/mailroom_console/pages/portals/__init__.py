"""Pages of the portal and its domains."""
