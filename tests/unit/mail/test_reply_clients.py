"""The reply apart from history, for every great client in the languages of the product, as text and as HTML."""

from __future__ import annotations

import pytest
from mailroom_mail import Mail, Mailbox, extract_reply
from mailroom_mail.typed import reply_html

BODY = {
    "en": "Yes, Tuesday at nine suits us.",
    "de": "Ja, Dienstag um neun passt uns gut.",
    "fr": "Oui, mardi à neuf heures nous convient.",
    "es": "Sí, el martes a las nueve nos va bien.",
    "pt": "Sim, terça às nove está bem para nós.",
    "it": "Sì, martedì alle nove ci va bene.",
    "nl": "Ja, dinsdag om negen uur is prima.",
    "pl": "Tak, wtorek o dziewiątej nam pasuje.",
    "ru": "Да, вторник в девять нам подходит.",
    "vi": "Vâng, thứ ba lúc chín giờ là được.",
    "zh": "好的,星期二九点可以。",
    "ja": "はい、火曜日の九時で大丈夫です。",
}
# How each client introduces the mail it answers, by language.
GMAIL = {
    "en": "On Mon, Jan 5, 2026 at 3:04 PM Acme Support <support@acme.example> wrote:",
    "de": "Am Mo., 5. Jan. 2026 um 15:04 Uhr schrieb Acme Support <support@acme.example>:",
    "fr": "Le lun. 5 janv. 2026 à 15:04, Acme Support <support@acme.example> a écrit :",
    "es": "El lun, 5 ene 2026 a las 15:04, Acme Support (<support@acme.example>) escribió:",
    "pt": "Em seg., 5 de jan. de 2026 às 15:04, Acme Support <support@acme.example> escreveu:",
    "it": "Il giorno lun 5 gen 2026 alle ore 15:04 Acme Support <support@acme.example> ha scritto:",
    "nl": "Op ma 5 jan 2026 om 15:04 schreef Acme Support <support@acme.example>:",
    "pl": "pon., 5 sty 2026 o 15:04 Acme Support <support@acme.example> napisał(a):",
    "ru": "пн, 5 янв. 2026 г. в 15:04, Acme Support <support@acme.example>:",
    "vi": "Vào Th 2, 5 thg 1, 2026 vào lúc 15:04 Acme Support <support@acme.example> đã viết:",
    "zh": "Acme Support <support@acme.example> 于2026年1月5日周一 15:04写道：",
    "ja": "2026年1月5日(月) 15:04 Acme Support <support@acme.example>:",
}
APPLE = {
    "en": "On Jan 5, 2026, at 3:04 PM, Acme Support <support@acme.example> wrote:",
    "de": "Am 05.01.2026 um 15:04 schrieb Acme Support <support@acme.example>:",
    "fr": "Le 5 janv. 2026 à 15:04, Acme Support <support@acme.example> a écrit :",
    "es": "El 5 ene 2026, a las 15:04, Acme Support <support@acme.example> escribió:",
    "pt": "No dia 5 de jan. de 2026, às 15:04, Acme Support <support@acme.example> escreveu:",
    "it": "Il giorno 5 gen 2026, alle ore 15:04, Acme Support <support@acme.example> ha scritto:",
    "nl": "Op 5 jan 2026, om 15:04 heeft Acme Support <support@acme.example> het volgende geschreven:",
    "pl": "Wiadomość napisana przez Acme Support <support@acme.example> w dniu 5 sty 2026, o godz. 15:04:",
    "ru": "5 янв. 2026 г., в 15:04, Acme Support <support@acme.example> написал(а):",
    "vi": "Vào 5 thg 1, 2026, lúc 15:04, Acme Support <support@acme.example> đã viết:",
    "zh": "2026年1月5日 15:04，Acme Support <support@acme.example> 写道：",
    "ja": "2026/01/05 15:04、Acme Support <support@acme.example>のメール:",
}
THUNDERBIRD = {
    "en": "On 05/01/2026 15:04, Acme Support wrote:",
    "de": "Am 05.01.26 um 15:04 schrieb Acme Support:",
    "fr": "Le 05/01/2026 à 15:04, Acme Support a écrit :",
    "es": "El 5/1/26 a las 15:04, Acme Support escribió:",
    "pt": "Em 05/01/2026 15:04, Acme Support escreveu:",
    "it": "Il 05/01/2026 15:04, Acme Support ha scritto:",
    "nl": "Op 05-01-2026 om 15:04 schreef Acme Support:",
    "pl": "W dniu 5.01.2026 o 15:04, Acme Support pisze:",
    "ru": "05.01.2026 15:04, Acme Support пишет:",
    "vi": "Vào 05/01/2026 15:04, Acme Support viết:",
    "zh": "在 2026/1/5 15:04, Acme Support 写道:",
    "ja": "On 2026/01/05 15:04, Acme Support wrote:",
}
YAHOO = {
    "en": "On Monday, January 5, 2026 at 03:04:05 PM GMT+1, Acme Support <support@acme.example> wrote:",
    "de": "Am Montag, 5. Januar 2026 um 15:04:05 MEZ hat Acme Support <support@acme.example> Folgendes geschrieben:",
    "fr": "Le lundi 5 janvier 2026 à 15:04:05 UTC+1, Acme Support <support@acme.example> a écrit :",
    "es": "El lunes, 5 de enero de 2026, 15:04:05 CET, Acme Support <support@acme.example> escribió:",
    "pt": "Em segunda-feira, 5 de janeiro de 2026 15:04:05 BRT, Acme Support <support@acme.example> escreveu:",
    "it": "Il lunedì 5 gennaio 2026 alle ore 15:04:05 CET, Acme Support <support@acme.example> ha scritto:",
    "nl": "Op maandag 5 januari 2026 om 15:04:05 CET schreef Acme Support <support@acme.example>:",
    "pl": "W dniu poniedziałek, 5 stycznia 2026 15:04:05 CET Acme Support <support@acme.example> napisał(a):",
    "ru": "В понедельник, 5 января 2026 г. в 15:04:05 GMT+3 Acme Support <support@acme.example> написал(а):",
    "vi": "Vào Thứ Hai, 5 tháng 1, 2026 lúc 15:04:05 GMT+7, Acme Support <support@acme.example> đã viết:",
    "zh": "2026年1月5日星期一 15:04:05 [GMT+8]，Acme Support<support@acme.example> 写道：",
    "ja": "2026年1月5日月曜日 15:04:05 JST、Acme Support<support@acme.example>さんは書きました:",
}
# From, Sent, To, Subject as Outlook writes them.
OUTLOOK = {
    "en": ("From", "Sent", "To", "Subject", "Monday, January 5, 2026 3:04 PM"),
    "de": ("Von", "Gesendet", "An", "Betreff", "Montag, 5. Januar 2026 15:04"),
    "fr": ("De", "Envoyé", "À", "Objet", "lundi 5 janvier 2026 15:04"),
    "es": ("De", "Enviado el", "Para", "Asunto", "lunes, 5 de enero de 2026 15:04"),
    "pt": ("De", "Enviado", "Para", "Assunto", "segunda-feira, 5 de janeiro de 2026 15:04"),
    "it": ("Da", "Inviato", "A", "Oggetto", "lunedì 5 gennaio 2026 15:04"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp", "maandag 5 januari 2026 15:04"),
    "pl": ("Od", "Wysłano", "Do", "Temat", "poniedziałek, 5 stycznia 2026 15:04"),
    "ru": ("От", "Отправлено", "Кому", "Тема", "понедельник, 5 января 2026 г. 15:04"),
    "vi": ("Từ", "Đã gửi", "Đến", "Chủ đề", "Thứ Hai, 5 Tháng Một 2026 15:04"),
    "zh": ("发件人", "发送时间", "收件人", "主题", "2026年1月5日 15:04"),
    "ja": ("差出人", "送信日時", "宛先", "件名", "2026年1月5日 15:04"),
}
ORIGINAL = {
    "en": "Original Message", "de": "Ursprüngliche Nachricht", "fr": "Message d'origine", "es": "Mensaje original",
    "pt": "Mensagem original", "it": "Messaggio originale", "nl": "Oorspronkelijk bericht", "pl": "Oryginalna wiadomość",
    "ru": "Исходное сообщение", "vi": "Thư gốc", "zh": "原始邮件", "ja": "元のメッセージ",
}  # fmt: skip
IPHONE = {
    "en": "Sent from my iPhone", "de": "Von meinem iPhone gesendet", "fr": "Envoyé de mon iPhone", "es": "Enviado desde mi iPhone",
    "pt": "Enviado do meu iPhone", "it": "Inviato da iPhone", "nl": "Verstuurd vanaf mijn iPhone", "pl": "Wysłane z iPhone'a",
    "ru": "Отправлено с iPhone", "vi": "Đã gửi từ iPhone của tôi", "zh": "发自我的iPhone", "ja": "iPhoneから送信",
}  # fmt: skip
OUTLOOK_MOBILE = {
    "en": "Get Outlook for iOS", "de": "Holen Sie sich Outlook für iOS", "fr": "Télécharger Outlook pour iOS",
    "es": "Obtener Outlook para iOS", "pt": "Obter o Outlook para iOS", "it": "Scarica Outlook per iOS",
    "nl": "Outlook voor iOS downloaden", "pl": "Pobierz aplikację Outlook dla systemu iOS", "ru": "Скачать Outlook для iOS",
    "vi": "Tải Outlook cho iOS", "zh": "获取 Outlook for iOS", "ja": "Outlook for iOS を入手",
}  # fmt: skip
OLD = "Would Tuesday at nine be possible?\n\nKind regards\nAcme Support"
LANGUAGES = list(BODY)


def mail(text: str, html: str | None = None, subject: str = "Re: Appointment", from_html: bool = False) -> Mail:
    return Mail(
        "a@b.example", Mailbox("ann@example.org"), subject=subject, text=text, html=html, text_from_html=from_html
    )


def quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("client", [GMAIL, APPLE, THUNDERBIRD, YAHOO], ids=["gmail", "apple", "thunderbird", "yahoo"])
@pytest.mark.parametrize("marked", [True, False], ids=["marked", "unmarked"])
def test_attribution(client: dict[str, str], language: str, marked: bool) -> None:
    body, line = BODY[language], client[language]
    reply = extract_reply(mail(f"{body}\n\n{line}\n\n{quote(OLD) if marked else OLD}\n"))
    assert reply.text == body
    assert reply.quoted


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("client", [GMAIL, APPLE, YAHOO], ids=["gmail", "apple", "yahoo"])
def test_attribution_wrapped_before_the_address(client: dict[str, str], language: str) -> None:
    body, line = BODY[language], client[language].replace("<support@", "\n<support@").replace(" \n", "\n")
    reply = extract_reply(mail(f"{body}\n\n{line}\n\n{quote(OLD)}\n"))
    assert reply.text == body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "above",
    ["", "________________________________\n", "-----{}-----\n", "{}\n"],
    ids=["bare", "rule", "divider", "words"],
)
@pytest.mark.parametrize("bold", ["", "*"], ids=["plain", "starred"])
def test_outlook_header(language: str, above: str, bold: str) -> None:
    sender, sent, to, subject, date = OUTLOOK[language]
    header = (
        f"{bold}{sender}:{bold} Acme Support <support@acme.example>\n{bold}{sent}:{bold} {date}\n"
        f"{bold}{to}:{bold} ann@example.org\n{bold}{subject}:{bold} Appointment\n"
    )
    reply = extract_reply(mail(f"{BODY[language]}\n\n{above.format(ORIGINAL[language])}{header}\n{OLD}\n"))
    assert reply.text == BODY[language]
    assert reply.quoted


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("footer", [IPHONE, OUTLOOK_MOBILE], ids=["iphone", "outlook"])
def test_footer_of_a_mobile_client(language: str, footer: dict[str, str]) -> None:
    body = BODY[language]
    assert extract_reply(mail(f"{body}\n\n{footer[language]}\n")).text == body
    assert extract_reply(mail(f"{body}\n\n{footer[language]}\n\n{GMAIL[language]}\n\n{quote(OLD)}")).text == body


def gmail_html(language: str) -> str:
    return (
        f'<div dir="ltr"><div>{BODY[language]}</div></div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" '
        f'class="gmail_attr">{escaped(GMAIL[language])}<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">'
        f'<div dir="ltr">{OLD}</div></blockquote></div>'
    )


def outlook_desktop_html(language: str) -> str:
    sender, sent, to, subject, date = OUTLOOK[language]
    return (
        f'<html><head><style><!-- .x {{}} --></style></head><body lang=EN><div class="WordSection1"><p class="MsoNormal">{BODY[language]}</p>'
        '<p class="MsoNormal"><o:p>&nbsp;</o:p></p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
        f'<p class="MsoNormal"><b><span>{sender}:</span></b><span> Acme Support &lt;support@acme.example&gt; <br><b>{sent}:</b> {date}<br>'
        f"<b>{to}:</b> ann@example.org<br><b>{subject}:</b> Appointment</span></p></div><p>{OLD}</p></div></body></html>"
    )


def outlook_web_html(language: str) -> str:
    sender, sent, to, subject, date = OUTLOOK[language]
    return (
        f'<html><body dir="ltr"><div style="font-family: Aptos">{BODY[language]}</div><div id="appendonsend"></div>'
        f'<hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font><b>{sender}:</b> Acme Support '
        f"&lt;support@acme.example&gt;<br><b>{sent}:</b> {date}<br><b>{to}:</b> ann@example.org<br><b>{subject}:</b> Appointment</font>"
        f"<div>&nbsp;</div></div><div>{OLD}</div></body></html>"
    )


def apple_html(language: str) -> str:
    return (
        f'<html><head></head><body dir="auto">{BODY[language]}<div><br><blockquote type="cite"><div>{escaped(APPLE[language])}</div><br '
        f'class="Apple-interchange-newline"><div>{OLD}</div></blockquote></div><br></body></html>'
    )


def apple_outside_html(language: str) -> str:
    return (
        f'<html><body>{BODY[language]}<br><div><div>{escaped(APPLE[language])}</div><br class="Apple-interchange-newline">'
        f'<blockquote type="cite"><div>{OLD}</div></blockquote></div><br></body></html>'
    )


def thunderbird_html(language: str) -> str:
    return (
        f'<html><body text="#000000"><p>{BODY[language]}</p><div class="moz-cite-prefix">{escaped(THUNDERBIRD[language])}<br></div>'
        f'<blockquote type="cite" cite="mid:x@acme.example"><p>{OLD}</p></blockquote></body></html>'
    )


def yahoo_html(language: str) -> str:
    return (
        f'<html><body><div class="yahoo-style-wrap"><div dir="ltr">{BODY[language]}</div><div><br></div></div>'
        f'<div id="yahoo_quoted_123" class="yahoo_quoted"><div><div>{escaped(YAHOO[language])}</div><div>{OLD}</div></div></div></body></html>'
    )


def iphone_html(language: str) -> str:
    return (
        f'<html><body dir="auto">{BODY[language]}<br><br><div dir="ltr">{IPHONE[language]}</div><div dir="ltr"><br><blockquote type="cite">'
        f'{escaped(APPLE[language])}<br><br></blockquote></div><blockquote type="cite"><div dir="ltr">{OLD}</div></blockquote></body></html>'
    )


def samsung_html(language: str) -> str:
    sender, sent, to, subject, date = OUTLOOK[language]
    return (
        f'<html><body><div>{BODY[language]}</div><div><br></div><div style="font-size:100%"><!-- originalMessage --><div>-------- '
        f"{ORIGINAL[language]} --------</div><div>{sender}: Acme Support &lt;support@acme.example&gt;</div><div>{sent}: {date}</div><div>{to}: "
        f"ann@example.org</div><div>{subject}: Appointment</div></div><div>{OLD}</div></body></html>"
    )


CLIENTS = [
    gmail_html, outlook_desktop_html, outlook_web_html, apple_html, apple_outside_html, thunderbird_html, yahoo_html, iphone_html, samsung_html,
]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("client", CLIENTS)
def test_html(client: object, language: str) -> None:
    from mailroom_mail import html_to_text

    html = client(language)  # type: ignore[operator]
    reply = extract_reply(mail(html_to_text(html), html, from_html=True))
    assert reply.quoted
    assert reply.text == BODY[language]
    assert reply.html is not None
    assert BODY[language] in reply.html
    assert "Would Tuesday" not in reply.html
    assert "support@acme.example" not in reply.html


@pytest.mark.parametrize("client", CLIENTS)
def test_history_alone_is_shown_whole(client: object) -> None:
    from mailroom_mail import html_to_text

    html = client("en").replace(BODY["en"], "")  # type: ignore[operator]
    reply = extract_reply(mail(html_to_text(html), html, from_html=True))
    assert "Would Tuesday" in reply.text
    assert reply.html is not None
    assert "Would Tuesday" in reply.html


def test_each_mark_of_a_client_has_a_word_that_is_looked_for_first() -> None:
    assert [mark for mark in reply_html.MARKS if not any(stem in mark for stem in reply_html.STEMS)] == []
