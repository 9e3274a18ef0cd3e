"""The mailroom command line."""
