"""An SMTP account: presets, connecting, and signing in."""
