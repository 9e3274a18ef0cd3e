"""Agents, queues, and who works in which."""
