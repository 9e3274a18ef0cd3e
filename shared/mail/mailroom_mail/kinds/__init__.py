"""What sort of mail it is: automatic, a bounce, forwarded, or a person's."""
