"""SMTP and LMTP intake: mail in, email.received out."""
