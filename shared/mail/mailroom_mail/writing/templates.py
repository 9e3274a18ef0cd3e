"""Templates of automatic replies: what may stand in them, what is wrong with one, and the finished text.

A template knows four values: {{ticket.number}}, {{customer.name}}, {{subject}}, {{queue.name}}. Conditions and a few
filters are allowed; loops, calls and everything else are not, so that a template always ends soon and shows nothing
but these values. The values come from strangers: they are cut, put on one line, and never read as a template.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import SandboxedEnvironment

VARIABLES = ("ticket.number", "customer.name", "subject", "queue.name")
FILTERS = ("upper", "lower", "title", "capitalize", "trim", "default", "d", "truncate")
LONGEST_TEMPLATE = 20_000
DEEPEST = 40  # conditions, filters and the like within each other: Python compiles no more than a hundred
LONGEST_SUBJECT = 200
LONGEST_NAME = 60

_ALLOWED_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Filter, nodes.Const, nodes.If,
    nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Keyword,
)  # fmt: skip
# format and bidirectional controls can hide or turn text round; line and paragraph separators break lines
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_LINK = re.compile(r"://|www\.|@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TemplateContext:
    """The values of a reply. All are untrusted except number and queue."""

    ticket_number: str
    customer_name: str
    subject: str
    queue_name: str

    @classmethod
    def of(
        cls, *, ticket_number: str, customer_name: str, customer_email: str, subject: str, queue_name: str
    ) -> TemplateContext:
        """The values made safe: the customer's name falls back to one made from the address."""
        return cls(
            ticket_number=_one_line(ticket_number, 40),
            customer_name=greeting_name(customer_name, customer_email),
            subject=_one_line(subject, LONGEST_SUBJECT) or "(no subject)",
            queue_name=_one_line(queue_name, LONGEST_NAME),
        )


@dataclass(frozen=True, slots=True)
class RenderedReply:
    """A finished automatic reply: subject on one line, plain text."""

    subject: str
    content: str


class TemplateBroken(ValueError):
    """The template cannot be used; the message says why, for people."""


def check_template(subject: str, content: str) -> list[str]:
    """What is wrong with an automatic reply, one sentence each, for the person who writes it; [] when it is fine."""
    problems: list[str] = []
    if not content.strip():
        problems.append("Content: it is empty; write the text of the reply.")
    if "\n" in subject.strip() or "\r" in subject.strip():
        problems.append("Subject: it must be a single line.")
    for name, template in (("Subject", subject), ("Content", content)):
        problems += [f"{name}: {problem}" for problem in _problems(template)]
    return problems


def render(subject: str, content: str, context: TemplateContext) -> RenderedReply:
    """The finished reply; an empty subject becomes "Re: " and the customer's. Raises `TemplateBroken`."""
    for template in (subject, content):
        if problems := _problems(template):
            raise TemplateBroken(problems[0])
    values = {
        "ticket": {"number": context.ticket_number},
        "customer": {"name": context.customer_name},
        "subject": context.subject,
        "queue": {"name": context.queue_name},
    }
    try:
        finished_subject = _one_line(_compiled(subject).render(values), LONGEST_SUBJECT)
        finished = _compiled(content).render(values)
    except (TemplateError, TypeError, ValueError) as error:
        raise TemplateBroken(f"it cannot be filled in: {error}") from error
    text = finished.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    if not text.strip():
        raise TemplateBroken("it comes out empty")
    return RenderedReply(finished_subject or _one_line(f"Re: {context.subject}", LONGEST_SUBJECT), text.rstrip() + "\n")


def greeting_name(name: str, email: str) -> str:
    """How to call a customer: the display name, else one made from the address ("jo.miller@…" is "Jo Miller").

    A display name that holds a link or an address is not used: a stranger would have us send it to somebody else.
    """
    cleaned = _one_line(name, LONGEST_NAME).strip("\"' ")
    if any(c.isalpha() for c in cleaned) and not _LINK.search(cleaned):
        return cleaned
    local = _one_line(email.rpartition("@")[0], LONGEST_NAME).partition("+")[0]
    words = [word for word in re.split(r"[._-]+", local) if word]
    if words and all(word.isalpha() for word in words):
        return " ".join(word.capitalize() for word in words)
    return local or email


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


@lru_cache(maxsize=200)
def _compiled(template: str) -> Template:
    """Compiling costs more than all else that an automatic reply needs, and few templates serve many replies."""
    return _environment().from_string(template)


@lru_cache(maxsize=200)
def _problems(template: str) -> tuple[str, ...]:
    if len(template) > LONGEST_TEMPLATE:
        return (f"it is longer than {LONGEST_TEMPLATE} characters.",)
    try:
        tree = _environment().parse(template)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        return (f"{'line ' + str(line) + ': ' if line else ''}{error.message or error}.",)
    except RecursionError:
        return (_TOO_DEEP,)
    return (_TOO_DEEP,) if _is_deep(tree) else tuple(dict.fromkeys(_walk(tree)))


_TOO_DEEP = "too much is nested within each other; write it flatter."


def _is_deep(tree: nodes.Node) -> bool:
    level: list[nodes.Node] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in node.iter_child_nodes()]
    return bool(level)


def _walk(node: nodes.Node) -> list[str]:
    if isinstance(node, nodes.Getattr | nodes.Name):
        path = _path(node)
        if path in VARIABLES:
            return []
        known = ", ".join("{{" + name + "}}" for name in VARIABLES)
        return [f"there is no {{{{{path or '…'}}}}}; you can use {known}."]
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return [f"there is no filter {node.name!r}; you can use {', '.join(FILTERS)}."]
    if not isinstance(node, _ALLOWED_NODES):
        return [f"line {node.lineno}: {_WORDS.get(type(node).__name__, type(node).__name__)} is not allowed here."]
    problems: list[str] = []
    for child in node.iter_child_nodes():
        problems += _walk(child)
    return problems


_WORDS = {
    "For": "a loop", "Call": "a call", "Macro": "a macro", "Include": "an include", "Import": "an import",
    "FromImport": "an import", "Assign": "an assignment", "AssignBlock": "an assignment", "Extends": "an inheritance",
    "Block": "a block", "CallBlock": "a call", "FilterBlock": "a filter block", "With": "a with block",
    "Getitem": "an index", "Concat": "~", "Mul": "arithmetic", "Add": "arithmetic", "Pow": "arithmetic",
}  # fmt: skip


def _path(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        parent = _path(node.node)
        return f"{parent}.{node.attr}" if parent else None
    return None


def _one_line(text: str, longest: int) -> str:
    flat = " ".join(_CONTROL.sub(" ", unicodedata.normalize("NFC", text)).split())
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"
