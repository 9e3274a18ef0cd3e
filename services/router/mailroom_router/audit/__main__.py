"""`python -m mailroom_router.audit`"""

from __future__ import annotations

from mailroom_runtime.launch import run

from mailroom_router.settings import AuditSettings

from .auditor import app

if __name__ == "__main__":
    run("router_audit", AuditSettings, app)
