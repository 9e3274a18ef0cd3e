"""What companies' gateways put into every mail: the banner of outside mail at the top, the legal notice at the bottom. Pure.

Nobody typed it. It is known by how it begins, in the languages known, and ends where something else begins.
"""

from __future__ import annotations

import re

from mailroom_mail.kinds.automatic import names_any

_TOP = 1_500  # characters in which a banner stands
_MOST_BANNERS = 4
_WRAPPED = 60  # characters of a line that may have been broken
_MOST_NOTICE_LINES = 60
# Possessive, since what follows begins with a letter: two such runs in a row, each giving back what the other may take,
# cost the square of the banner's length.
_LEAD = r"[\s*_\[(<>|=!⚠️-]*+"
_CALL = (
    r"(?:(?:caution|warning|attention|notice|important|alert|security (?:notice|warning)|be careful|external(?: e-?mail| message| sender)?|"
    r"achtung|vorsicht|hinweis|warnung|wichtig|externe e-?mail|"
    r"avertissement|prudence|mise en garde|precaución|atención|cuidado|advertencia|aviso|attenzione|avviso|avvertenza|"
    r"let op|waarschuwing|opgelet|atenção|alerta|uwaga|ostrzeżenie|cảnh báo|lưu ý|chú ý|varning|obs|advarsel|внимание|осторожно)"
    r"[\s*_\])>:!.,–—-]*){0,3}"
)
_SENTENCE = (
    r"(?:(?:the |this |an? )?(?:e-?mail|message|mail)[^.\n]{0,40}?(?:originat|comes?|came|was sent|is|sent|received)[^.\n]{0,40}?(?:outside|external)"
    r"|this is an external (?:e-?mail|message)|this sender is external|external (?:e-?mail|sender)\b[ \])*:.!-]*(?=\n|\Z|-|do not|please)"
    r"|you don['’]?t often get e-?mail from|you have not previously corresponded with this sender|some people who received this message don['’]?t often get email"
    r"|(?:diese|die folgende) (?:e-?mail|nachricht|mail)[^.\n]{0,40}?(?:stammt|kommt|wurde|ist|kam)[^.\n]{0,60}?(?:außerhalb|ausserhalb|extern)"
    r"|externe (?:e-?mail|nachricht)[ \])*:.!-]*(?=\n|\Z)|sie erhalten nicht (?:oft|häufig) e-?mails? von"
    r"|(?:ce|cet|cette) (?:message|e-?mail|courriel|courrier|mail)[^.\n]{0,60}?(?:extérieur|externe)|courriel externe[ \])*:.!-]*(?=\n|\Z)"
    r"|vous n['’](?:obtenez|recevez) pas souvent d['’]e-?mail"
    r"|este (?:correo|mensaje|e-?mail)[^.\n]{0,60}?(?:fuera|extern|exterior)|correo externo[ \])*:.!-]*(?=\n|\Z)|no (?:suele|sueles) recibir (?:correos?|mensajes)"
    r"|quest[ao] (?:e-?mail|messaggio|mail)[^.\n]{0,60}?(?:estern|fuori)|non si ricevono spesso messaggi|non ricevi spesso"
    r"|(?:deze|dit) (?:e-?mail|bericht|mail)[^.\n]{0,60}?(?:buiten|extern)|u ontvangt niet vaak e-?mail"
    r"|est[ae] (?:e-?mail|mensagem)[^.\n]{0,60}?(?:fora|extern)|você não costuma receber e-?mails"
    r"|(?:ta|ten|niniejsz[ay]) (?:wiadomość|e-?mail|mail)[^.\n]{0,60}?(?:spoza|zewnętrzn)|nie często otrzymujesz"
    r"|(?:email|thư|tin nhắn) này[^.\n]{0,60}?bên ngoài|(?:detta|denne|dette) (?:mejl|e-?post|meddelande|mail|besked)[^.\n]{0,60}?(?:extern|ekstern|utanför|utenfor|uden for)"
    r"|(?:это|данное) (?:письмо|сообщение)[^.\n]{0,60}?(?:внешн|извне|вне ))"
)
_BANNER = re.compile(_LEAD + _CALL + _LEAD + _SENTENCE, re.IGNORECASE)
# How a banner goes on: what to do with links and files, why one is told.
_GOES_ON = re.compile(
    r"[\s*_|-]*(?:please )?(?:do not (?:click|open|reply|respond|follow|trust)|don['’]?t (?:click|open)|never (?:click|open)|be (?:careful|cautious|wary|alert)|"
    r"(?:use|exercise|take) (?:extreme |extra |caution|care)|think before|treat (?:links|it|this)|verify (?:the sender|that)|report (?:it|this|any|suspicious)|learn why|"
    r"if (?:you (?:suspect|are (?:unsure|not sure|suspicious)|do not recogni[sz]e)|this (?:email|message) (?:looks|seems))|only open|avoid (?:clicking|opening)|"
    r"klicken sie|öffnen sie|bitte (?:klicken|öffnen|seien|prüfen)|seien sie|erfahren sie|prüfen sie|ne cliquez|n['’]ouvrez|soyez (?:prudent|vigilant)|découvrez pourquoi|"
    r"no (?:haga|abra|hagas|abras)|por qué es (?:esto )?importante|tenga (?:cuidado|precaución)|non (?:cliccare|fare clic|aprire)|scopri perché|klik niet|open geen|wees (?:voorzichtig|alert)|"
    r"meer informatie over waarom|não clique|não abra|saiba por que|nie (?:klikaj|otwieraj)|dowiedz się|không (?:nhấp|nhấn|mở)|не (?:переходите|открывайте))",
    re.IGNORECASE,
)
_WHY = re.compile(r"(?:important|wichtig ist|importante|belangrijk is)\W*(?:<[^>]*>)?\Z", re.IGNORECASE)
_END = re.compile(r"[.!?](?=[\s\])*<]|\Z)|\n\s*\n|[\])*]\s*(?=\n|\Z)")
_NOTICE = re.compile(
    r"[\s*_>=|-]*(?:(?:legal |confidentiality |privacy )?(?:notice|disclaimer)\b[\s:*.-]*(?:\Z|this|the|diese)|confidentiality notice|"
    r"(?:this|the (?:information|contents?)|any information)\b.{0,120}?\b(?:confidential|privileged|intended (?:only|solely|for the))|"
    r"if you (?:are not the (?:intended|named)|have received this (?:e-?mail|message|communication))|"
    r"(?:please )?(?:consider|think of) the environment before printing|"
    r"(?:diese|die in dieser|der inhalt dieser) (?:e-?mail|nachricht|mail)\b.{0,120}?(?:vertraulich|geschützt|bestimmt)|vertraulichkeitshinweis|"
    r"haftungsausschluss|(?:wenn|sollten|falls) sie nicht der (?:richtige|beabsichtigte|vorgesehene)|"
    r"(?:ce|cet|cette) (?:message|e-?mail|courriel|courrier|mail)\b.{0,140}?confidentiel|avis de confidentialité|"
    r"(?:este|la información contenida en este) (?:mensaje|correo|e-?mail)\b.{0,140}?confidencial|aviso (?:legal|de confidencialidad)|"
    r"(?:quest[ao]|le informazioni contenute in quest[ao]) (?:e-?mail|messaggio|mail)\b.{0,140}?(?:riservat|confidenzial)|avviso di riservatezza|"
    r"(?:deze|dit|de informatie in deze) (?:e-?mail|bericht|mail)\b.{0,140}?vertrouwelijk|"
    r"est[ae] (?:mensagem|e-?mail)\b.{0,140}?confidencia|(?:ta|niniejsza|treść (?:tej|niniejszej)) wiadomoś\w+\b.{0,140}?poufn|"
    r"(?:email|thư|thông tin trong email) này\b.{0,140}?(?:bảo mật|tuyệt mật|riêng tư)|(?:это|данное|настоящее) (?:письмо|сообщение)\b.{0,140}?конфиденц)",
    re.IGNORECASE,
)
# One of these stands in whatever `_NOTICE` finds. In small letters.
_NOTICE_STEMS = (
    "confiden", "notice", "disclaimer", "intended", "privileged", "received this", "named", "environment before", "vertrau", "vertrouw", "geschützt",
    "bestimmt", "haftungsausschluss", "sie nicht der", "aviso", "avviso", "riservat", "poufn", "bảo mật", "tuyệt mật", "riêng tư", "конфиденц",
)  # fmt: skip
# What may stand in and below a notice: law, and who the company is. In small letters.
_OF_COMPANY = (
    "confiden", "message", "email", "e-mail", "@", "http", "www.", "recipient", "copy", "delete", "virus", "sender", "liab", "privileg", "disclaim",
    "unauthori", "vertrau", "nachricht", "kopie", "haft", "viren", "unbefugt", "vertrouw", "ontvanger", "destinat", "supprim", "elimin", "riserv",
    "poufn", "odbiorc",
)  # fmt: skip
_OF_COMPANY_ELSEWHERE = ("empfänger", "lösch", "wiadomoś", "конфиденц", "получател", "bảo mật")
_COMPANY_NAME = re.compile(
    r"\b(?:gmbh|ag|kg|hrb|hra|ust|ltd|limited|inc|llc|plc|s\.?a\.?r?\.?l?|b\.?v|n\.?v|vat|registered|registergericht|"
    r"geschäftsführer|siren|siret|kvk|nip|regon)\b"
)
_MARKS = str.maketrans(dict.fromkeys(",.;:()[]/&|*<>-–\"'", " "))
# The words of `_COMPANY_NAME` as they stand alone, or the beginnings of those with dots: they cost less to look for.
_COMPANY_KINDS = frozenset(
    ("gmbh", "ag", "kg", "hrb", "hra", "ust", "ltd", "limited", "inc", "llc", "plc", "sa", "sar", "sal", "sarl", "bv", "nv", "vat", "registered",
     "registergericht", "geschäftsführer", "siren", "siret", "kvk", "nip", "regon")
)  # fmt: skip
_DOTTED = ("s.a", "b.v", "n.v")
_RULES = " -_=*\n"
_BEGINNING, _END_OF = 170, 130  # characters of a long paragraph that are looked at


def without_company_words(text: str) -> str:
    """The text without a gateway's banner at its top and its legal notice at its end; all of it where nothing would be left."""
    rest = below_banners(text)
    shorter = above_notice(rest)
    return shorter if shorter.strip() else (rest if rest.strip() else text)


def below_banners(text: str) -> str:
    """The text below the banners with which it begins."""
    for _ in range(_MOST_BANNERS):
        found = _BANNER.match(text[:_TOP])
        if found is None:
            break
        at = _sentence_end(text, found.end())
        while at < _TOP and _GOES_ON.match(text, at) is not None:
            at = _sentence_end(text, at + 2)
        text = text[at:].lstrip(" \t\r\n*_-=|])>\xa0")
    return text


def _sentence_end(text: str, at: int) -> int:
    """Where the sentence that goes on at `at` ends: at its full stop, with its paragraph, else with its line."""
    if text[at - 1 : at] == "\n":
        return at
    found = _END.search(text, at, at + 600)
    end = found.end() if found is not None else min(len(text), at + 600)
    line = text.rfind("\n", 0, at) + 1
    while (newline := text.find("\n", at, end)) >= 0:
        whole = text[line:newline].rstrip()
        if not text[newline + 1 : newline + 2].islower() and (len(whole) < _WRAPPED or _WHY.search(whole)):
            return (
                newline + 1
            )  # a sentence without its stop; one that was wrapped goes on in small letters, or was long
        line = at = newline + 1
    return end


def above_notice(text: str) -> str:
    """The text above the legal notice that ends it; all of it where it ends in something else.

    From the end upwards, paragraph by paragraph: the first that speaks neither of law nor of the company is a person's, and
    so is all above it.
    """
    whole = text.rstrip()
    if whole[-1:] == "?" or whole[whole.rfind("\n") + 1 :].lstrip()[:1] == ">":
        return text  # somebody asks, or is quoted
    lines = whole.rsplit("\n", _MOST_NOTICE_LINES)
    first = 0 if len(lines) <= _MOST_NOTICE_LINES else 1
    best = None
    end = len(lines)
    while end > first:
        start = end
        while start > first and lines[start - 1].strip():
            start -= 1
        if start < end:
            if not _is_company("\n".join(lines[start:end])):
                break
            may_be = names_any("\n".join(lines[start : end + 3]).lower(), _NOTICE_STEMS)
            for index in range(end - 1, start - 1, -1):
                line = lines[index].strip()
                if line[0] == ">" or line[-1] == "?":
                    return text if best is None else _above(lines, best)
                if (
                    may_be
                    and _NOTICE.match(" ".join(lines[index : index + 4])[:600])
                    and _is_company("\n".join(lines[index:end]))
                ):
                    best = index
        end = start - 1
    return text if best is None else _above(lines, best)


def _above(lines: list[str], index: int) -> str:
    while index and not lines[index - 1].strip(" -_=*"):
        index -= 1
    return "\n".join(lines[:index])


def _is_company(paragraph: str) -> bool:
    """Whether a paragraph speaks of law or of the company, or is a rule. Of a long one its beginning and its end tell."""
    if len(paragraph) > _BEGINNING + _END_OF:
        paragraph = f"{paragraph[:_BEGINNING]}\n{paragraph[-_END_OF:]}"
    low = paragraph.lower()
    return (
        names_any(low, _OF_COMPANY)
        or (not low.isascii() and names_any(low, _OF_COMPANY_ELSEWHERE))
        or (_names_company(low) and _COMPANY_NAME.search(low) is not None)
        or not low.strip(_RULES)
    )


def _names_company(low: str) -> bool:
    """Whether a word stands there that may be a company's kind or number."""
    return not _COMPANY_KINDS.isdisjoint(low.translate(_MARKS).split()) or names_any(low, _DOTTED)
