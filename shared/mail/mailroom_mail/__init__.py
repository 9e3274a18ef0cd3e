"""Reading and writing real-world mail (RFC 5322)."""
