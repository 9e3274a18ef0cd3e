"""Decides address, queue, ticket and agent; the one writer of tickets."""
