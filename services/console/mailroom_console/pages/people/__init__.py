"""Pages of agents and queues."""
