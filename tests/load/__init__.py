"""Load with faults, and the books compared afterwards."""
