"""A service as a process: settings, start and stop, health, metrics, logs, tasks."""
