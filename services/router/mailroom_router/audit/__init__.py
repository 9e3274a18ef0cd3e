"""The auditor: finds inputs of the router that had no outcome, and puts them back on their topic."""
