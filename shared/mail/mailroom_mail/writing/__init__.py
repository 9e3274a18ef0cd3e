"""From a reply to bytes: headers, bodies, templates."""
