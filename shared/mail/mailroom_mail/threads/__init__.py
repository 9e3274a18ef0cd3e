"""What a mail belongs to: signed ids, message identity, ticket numbers, conversations."""
