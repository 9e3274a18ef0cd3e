"""Templates: what is allowed, what is said about a wrong one, and that strangers' values stay values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail.writing.templates import TemplateBroken, TemplateContext, check_template, greeting_name, render


def context(**changes: str) -> TemplateContext:
    values = {
        "ticket_number": "MR-7K3F9Q2X",
        "customer_name": "Jo Miller",
        "customer_email": "jo@customer.example",
        "subject": "My order",
        "queue_name": "Support",
    }
    return TemplateContext.of(**{**values, **changes})


def test_the_four_values_are_filled_in() -> None:
    reply = render(
        "We got it: {{subject}} [{{ ticket.number }}]", "Dear {{customer.name}},\n{{queue.name}} reads it.\n", context()
    )
    assert reply.subject == "We got it: My order [MR-7K3F9Q2X]"
    assert reply.content == "Dear Jo Miller,\nSupport reads it.\n"


def test_a_good_template_has_no_problems() -> None:
    assert (
        check_template("Re: {{ subject | truncate(40) }}", "{% if queue.name %}{{queue.name}}{% endif %} got it") == []
    )


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{{customer.email}}", "{{customer.email}}"),
        ("{{ticket}}", "{{ticket}}"),
        ("{{ subject.__class__.__mro__ }}", "no {{subject.__class__"),
        ("{% for i in range(100000) %}{{subject}}{% endfor %}", "a loop"),
        ("{{ range(9) }}", "call"),
        ("{{ subject | attr('x') }}", "filter 'attr'"),
        ("{{ subject ", "line 1"),
        ("{% include 'x' %}", "an include"),
        ("{{ 'a' * 100000000 }}", "arithmetic"),
        ("", "empty"),
    ],
)
def test_a_wrong_template_is_named(content: str, word: str) -> None:
    problems = check_template("Hello", content)
    assert problems
    assert word in " ".join(problems)
    with pytest.raises(TemplateBroken):
        render("Hello", content, context())


def test_a_subject_of_two_lines_is_a_problem() -> None:
    assert any("single line" in problem for problem in check_template("Hello\nBcc: x@y.example", "text"))


def test_a_strangers_subject_cannot_add_a_header() -> None:
    reply = render("Re: {{subject}}", "x", context(subject="hi\r\nBcc: victim@other.example\u2028X: y"))
    assert reply.subject == "Re: hi Bcc: victim@other.example X: y"


def test_a_strangers_template_is_not_run() -> None:
    reply = render("{{subject}}", "{{customer.name}}", context(subject="{{ticket.number}}", customer_name="{% if %}x"))
    assert (reply.subject, reply.content) == ("{{ticket.number}}", "{% if %}x\n")


@pytest.mark.parametrize(
    ("name", "email", "expected"),
    [
        ("Jo Miller", "x@c.example", "Jo Miller"),
        ("", "jo.miller@c.example", "Jo Miller"),
        ("", "jo_miller+shop@c.example", "Jo Miller"),
        ("jo@c.example", "jo@c.example", "Jo"),
        ("Win money https://evil.example", "jo77@c.example", "jo77"),
        ("  '' ", "info@c.example", "Info"),
        ("李雷", "li@c.example", "李雷"),
        ("Jo\r\nMiller", "x@c.example", "Jo Miller"),
    ],
)
def test_how_a_customer_is_called(name: str, email: str, expected: str) -> None:
    assert greeting_name(name, email) == expected


def test_an_empty_subject_becomes_re() -> None:
    assert render("", "x", context()).subject == "Re: My order"


@given(st.text(), st.text(max_size=300), st.text())
def test_whatever_comes_in_the_subject_stays_one_short_line(subject: str, name: str, local: str) -> None:
    reply = render(
        "{{subject}} {{customer.name}}",
        "Dear {{customer.name}}",
        context(subject=subject, customer_name=name, customer_email=f"{local}@c.example"),
    )
    assert len(reply.subject) <= 200
    assert len((reply.subject or "x").splitlines()) == 1
    assert "\x00" not in reply.content


@pytest.mark.parametrize("depth", [1, 15, 30, 60, 99, 150, 250, 700])
@pytest.mark.parametrize(
    ("begin", "middle", "end"),
    [
        ("{% if subject %}", "x", "{% endif %}"),
        ("{% if subject %}x{% else %}", "x", "{% endif %}"),
        ("{{ (", "subject", ") }}"),
        ("{{ not ", "subject", " }}"),
        ("{{ ", "subject", "|upper }}"),
        ("{{ ", "subject", " and subject }}"),
        ("{{ subject if subject else ", "subject", " }}"),
        ("{{ subject == ", "subject", " }}"),
        ("{{ ", "ticket", ".number }}"),
        ("{{ ", "subject", "|default(subject) }}"),
        ("{{ [", "subject", "] }}"),
    ],
)
def test_what_is_found_to_be_good_can_be_filled_in_however_deep_it_is(
    begin: str, middle: str, end: str, depth: int
) -> None:
    """Python's compiler ends at a hundred levels of indentation: such a template was saved, and then broke on each mail."""

    def inner(text: str) -> str:
        return text.replace("{{ ", "").replace(" }}", "")

    if begin.startswith("{{"):
        content = "{{ " + inner(begin) * depth + middle + inner(end) * depth + " }}"
    else:
        content = begin * depth + middle + end * depth
    problems = check_template("", content)
    if depth <= 15 and begin.startswith(("{% ", "{{ (", "{{ not")):
        assert problems == []
    if not problems:
        assert render("", content, context()).content
    else:
        with pytest.raises(TemplateBroken):
            render("", content, context())
