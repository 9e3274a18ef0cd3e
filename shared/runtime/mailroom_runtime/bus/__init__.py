"""Kafka: clients, the consume loop, configuration tables, dead letters, topics."""
