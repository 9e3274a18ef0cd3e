"""What is held in memory from compacted topics, and which pages hear of changes."""
