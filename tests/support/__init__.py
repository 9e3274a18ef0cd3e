"""What tests share: real servers that can be stopped, service processes, topics, and waiting with a deadline."""
