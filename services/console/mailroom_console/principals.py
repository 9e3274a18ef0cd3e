"""Who asks: an agent with a session, or a program with a token. Always of exactly one portal."""

from __future__ import annotations

from dataclasses import dataclass

from mailroom_contracts import Actor

from mailroom_console.languages import mark, say

from .problems import Problem, forbidden

READ, TICKETS, CONFIG, ADMIN, PLATFORM = "read", "tickets", "config", "admin", "platform"
SCOPES = {
    READ: mark("See addresses, queues, agents and tickets."),
    TICKETS: mark("Answer and change tickets, set presence."),
    CONFIG: mark("Change addresses, queues and agents."),
    ADMIN: mark("Tokens, dead letters, audit trail, rebuilding."),
    PLATFORM: mark("Make portals."),
}
_ROLE_SCOPES = {
    "administrator": frozenset({READ, TICKETS, CONFIG, ADMIN}),
    "agent": frozenset({READ, TICKETS}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `queue_ids` None: sees every queue of the portal."""

    kind: str  # session or token
    id: str  # agent id, or token id
    portal_id: str
    name: str
    scopes: frozenset[str]
    role: str = ""  # of an agent
    email: str = ""
    queue_ids: frozenset[str] | None = None
    csrf: str = ""  # what a form of this session must carry
    session_id: str = ""
    language: str = ""  # that they chose; "": what the browser would rather have
    zone: str = ""  # IANA name, of the browser that signed in last
    must_change: bool = False  # the password was made for them: before anything else they choose their own

    @property
    def agent_id(self) -> str | None:
        """The agent, when a person asks."""
        return self.id if self.kind == "session" else None

    @property
    def is_administrator(self) -> bool:
        return CONFIG in self.scopes

    @property
    def actor(self) -> Actor:
        """As events name it."""
        return Actor(kind="agent" if self.kind == "session" else "api", id=self.id, name=self.name)

    def require(self, scope: str) -> None:
        """Raise `Problem` 403 when this may not be done."""
        if scope not in self.scopes:
            if self.kind == "session":
                raise forbidden(say("Only administrators may do this."))
            raise Problem(403, "scope_missing", say("The token has no scope '{scope}'.", scope=scope), scope=scope)

    def sees(self, queue_id: str | None, assignee_id: str | None = None) -> bool:
        """Whether tickets of that queue are shown; an agent's own tickets always are."""
        if self.queue_ids is None or (assignee_id is not None and assignee_id == self.agent_id):
            return True
        return queue_id in self.queue_ids


def agent_principal(
    *, agent_id: str, portal_id: str, name: str, email: str, role: str, queue_ids: frozenset[str],
    csrf: str, session_id: str, must_change: bool = False, language: str = "", zone: str = "",
) -> Principal:  # fmt: skip
    """A signed-in agent. Administrators see every queue."""
    return Principal(
        kind="session", id=agent_id, portal_id=portal_id, name=name, email=email, role=role, csrf=csrf,
        scopes=_ROLE_SCOPES.get(role, _ROLE_SCOPES["agent"]), session_id=session_id,
        must_change=must_change, language=language, zone=zone,
        queue_ids=None if role == "administrator" else queue_ids,
    )  # fmt: skip
