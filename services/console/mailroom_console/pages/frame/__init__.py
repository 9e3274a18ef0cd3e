"""Around every page: session, CSRF token, frame, icons and words."""
