"""Who vouches for a mail: SPF, DKIM, DMARC, ARC, and what trusted servers found."""
