"""`mailroom load`: open-loop load through the bus, with an account of every mail at the end."""
