"""From bytes to a mail: structure, headers, charsets, bodies, attached files."""
