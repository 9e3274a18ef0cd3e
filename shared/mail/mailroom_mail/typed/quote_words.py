"""The words by which mail programs introduce quoted history and signatures, by language: data for `reply_text`."""

from __future__ import annotations

import re

from mailroom_mail.kinds.automatic import names_any

# "wrote" as programs say it; looked for in lower case, the commonest first.
WROTE_WORDS = (
    "wrote", "schrieb", "écrit", "viết", "writes", "schreibt", "geschrieben", "ecrit", "a e\u0301crit", "escribió", "escribio", "escribe", "escreveu",
    "ha scritto", "scrive", "scrisse", "schreef", "het volgende geschreven", "napisał", "napisal", "pisze", "napísal", "napísaů", "napisaů", "пише",
    "писал", "написа", "đã gửi", "写道", "寫道", "写了", "來信", "のメール", "書きました", "さんは", "作成", "작성", "썼습니다", "보냄", "skrev", "skriver", "kirjoitti",
    "yazdı", "írta", "έγραψε", "a scris", "menulis", "napisao", "je pisal", "kirjutas", "rakstīja", "rašė", "كتب", "כתב", "เขียน", "mengatakan",
    "napisana", "napsal", "쓴 글", "쓰셨습니다", "escribiu", "va escriure", "escrigué", "idatzi zuen", "skrifaði", "نوشت",
)  # fmt: skip
# Where it begins, with what belongs to it; `says_wrote` tells thirty times as fast that it stands somewhere.
WROTE = re.compile("a (?:é|e\u0301|e)crit|hat geschrieben|đã viết|が書きました|は書きました|" + "|".join(WROTE_WORDS))
WEEKDAYS = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?|"
    r"mo(?:ntag)?|di(?:enstag)?|mi(?:ttwoch)?|do(?:nnerstag)?|fr(?:eitag)?|sa(?:mstag)?|so(?:nntag)?|"
    r"lun(?:di|es|edì)?|mar(?:di|tes|tedì)?|mer(?:credi|coledì)?|mi[ée](?:r(?:coles)?)?|jeu(?:di)?|jue(?:ves)?|gio(?:vedì)?|ven(?:dredi|erdì)?|vie(?:rnes)?|sam(?:edi)?|s[áa]b(?:ado|ato)?|dim(?:anche)?|dom(?:ingo|enica)?|"
    r"seg(?:unda)?(?:-feira)?|ter(?:ça)?(?:-feira)?|qua(?:rta)?(?:-feira)?|qui(?:nta)?(?:-feira)?|sex(?:ta)?(?:-feira)?|"
    r"ma(?:andag)?|dinsdag|wo(?:ensdag)?|donderdag|vr(?:ijdag)?|za(?:terdag)?|zo(?:ndag)?|"
    r"pon(?:iedziałek)?|wt(?:orek)?|śr(?:oda)?|czw(?:artek)?|pt|piątek|sob(?:ota)?|niedz(?:iela)?|"
    r"пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|"
    r"th [2-7]|cn|thứ|man(?:dag)?|tirs?(?:dag)?|ons?(?:dag)?|tors?(?:dag)?|fre(?:dag)?|lør(?:dag)?|søn(?:dag)?|lör(?:dag)?|sön(?:dag)?"
)
# How an attribution begins: a preposition of its language, a weekday, a date, or a name with an address.
ATTRIBUTION_START = re.compile(
    rf"[\s>*_=|\"'„“«-]*(?:(?:on|at|in|am|um|den|le|el|em|il|op|w dniu|dnia|dne|dňa|vào|lúc|ngày|pada|tanggal|på|d\.|den|kl\.?|på|tirsdag|en|em|no dia|el día|il giorno|"
    rf"в|во|на|от|quoting|zitat von|citando|citeren|cytowanie|quoting message from|\d{{1,4}}[./年년-]|\d{{1,2}} |{WEEKDAYS})(?=[\s,.:/\d(]|$)|[^\W\d]{{1,12}}\.?,?\s{{1,2}}\d{{1,2}}[.\s]|\d{{1,4}}[./年년-]\s?\d|\d{{1,2}}:\d\d)",
    re.IGNORECASE,
)
NAME_START = re.compile(r"[\s>*_=|-]*[\"'„“«]?[^\n<>]{0,80}<[^<>\s]+@[^<>\s]+>")
# An attribution after a person's words and white space: "Thanks On Mon, Jan 5, 2026 at 3:04 PM, Ann wrote:".
SHARED_START = re.compile(
    r"(?:[-–—]{2,}[ \t]?|\s)(?=(?:on|am|le|el|em|il|op|den|på|w dniu)\s+(?:\w{2,12}\.?,?\s+)?(?:\w{3,12}\.?,?\s+)?\d{1,4}\b)",
    re.IGNORECASE,
)
QUOTING = re.compile(r"[\s>*]*(?:quoting|zitat von|citando|citeren|cytowanie|citation de|citat fra)\b", re.IGNORECASE)
# What may not stand before a date is asked for behind its first digit: a pattern that begins with one is searched for many
# times as fast.
DATE = re.compile(
    r"\d(?<!\d.)(?:(?:(?<=1)9|(?<=2)0)\d\d(?!\d)|\d?\s?[:.hH時]\s?\d\d(?!\d)|\d?[./-]\d{1,2}[./-](?:\d\d){1,2}(?!\d)|\d?時)",
    re.DOTALL,
)
FIELD = re.compile(r"\t[A-Z][A-Za-z-]{1,40}: \S")  # of a mail's header, set in by a TAB
# The prefixes of answers' subjects; what forwards begin with is in FORWARD_SUBJECT.
ANSWER_SUBJECT = re.compile(
    r"\s*(?:\[[^\]]{1,60}\]\s*){0,3}(?:re|r|aw|antw|antwort|sv|vs|vá|odp|odpoveď|odpověď|ynt|yan|res|rif|ref|réf|betr|σχετ|απ|ha|"
    r"отв|ответ|на|hà|trl|trả lời|回复|回覆|答复|答覆|返信|회신|답장|atb|ats|vast)\s*(?:[\[(]\d{1,3}[\])])?\s*[:：]",
    re.IGNORECASE,
)
ADDRESS = re.compile(r"[^\s<>@\"]+@[^\s<>@\"]+")
_NO_ADDRESS = '<>@"'  # nor white space

# Labels of the header block that Outlook and others put above unquoted history, by role.
_LABELS = {
    "from": "from|von|de|da|van|od|fra|från|lähettäjä|от|від|кому_|từ|người gửi|gönderen|kimden|feladó|from|από|de la|"
    "发件人|寄件者|寄件人|發件人|差出人|送信者|보낸 ?사람|보낸이|dari|expéditeur|expediteur|remetente|mittente|afzender|nadawca|отправитель|desde|odosielateľ|odesílatel|absender",
    "date": "sent|date|message du|nachricht vom|mensaje del|messaggio del|gesendet|datum|envoyé(?: le)?|envoye|enviado(?: el| em)?|enviada(?: em)?|enviada el|fecha|data|inviato|verzonden(?: op)?|wysłano|wysłane|data wysłania|"
    "отправлено|дата|надіслано|đã gửi|gửi|ngày|ngày gửi|thời gian|发送时间|发送日期|日期|時間|时间|寄件日期|傳送時間|送信日時|日時|日付|보낸 날짜|날짜|skickat|sendt|dato|lähetetty|päivämäärä|odesláno|odoslané|gönderildi|tarih|gönderme tarihi|elküldve|dátum|trimis|"
    "ημερομηνία|στάλθηκε|dikirim|received|sendt den|gönderilen|date d['’]envoi|data de envio|data invio",
    "to": "to|an|à|a|para|aan|do|til|till|vastaanottaja|кому|đến|tới|người nhận|kime|címzett|către|προς|收件人|收件者|受信者|宛先|받는 ?사람|받는이|kepada|komu|pour|destinataire|destinatario|destinatário|alıcı|empfänger|per",
    "cc": "cc|kopie|copie|kopia|копия|抄送|副本|참조|dw|cc:|bcc|kopi|cc/cci|同报",
    "subject": "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|temat|тема|chủ đề|tiêu đề|主题|主旨|主題|件名|제목|ämne|emne|aihe|předmět|predmet|konu|tárgy|subiect|θέμα|perihal|betrifft|sujet|re",
    "other": "reply-to|antwort an|répondre à|responder a|rispondi a|importance|priority|wichtigkeit|priorität|attachments|anlagen|pièces jointes|message-id|organization|x-mailer",
}
LABEL = re.compile(
    r"[\s>*_|]*(?:"
    + "|".join(f"(?P<{role}>{alternatives})" for role, alternatives in _LABELS.items())
    + r")\s*\*{0,2}\s*[:：]\s*\*{0,2}\s*",
    re.IGNORECASE,
)

_ORIGINAL = (
    r"original(?: e-?mail)? message|original appointment|original e?-?mail|message original|ursprüngliche nachricht|originalnachricht|original-?nachricht|original ?mail|"
    r"message d['’]origine|message d['’]origine|e?-?mail d['’]origine|mensaje original|mensagem original|mensagem de origem|messaggio originale|messaggio originario|oorspronkelijk bericht|oorspronkelijke? (?:bericht|e-?mail)|"
    r"(?:wiadomość|wiadomosc) oryginalna|oryginalna wiadomość|wiadomość pierwotna|исходное сообщение|оригинальное сообщение|пересланное исходное|оригінальне повідомлення|"
    r"thư gốc|tin nhắn gốc|tin nhắn ban đầu|thư ban đầu|email gốc|原始邮件|原始郵件|原邮件|原始信件|原件|原始邮件信息|元のメッセージ|元のメール|オリジナル ?メッセージ|original ?メッセージ|원본 ?메시지|원본 ?메일|"
    r"ursprungligt meddelande|originalmeddelande|ursprungligt e-?post|oprindelig (?:meddelelse|besked|mail|e-?mail)|original meddelelse|opprinnelig melding|opprinnelig e-?post|alkuperäinen viesti|původní zpráva|pôvodná správa|özgün ileti|orijinal mesaj|eredeti üzenet|mesaj original|αρχικό μήνυμα|"
    r"pesan asli|mesej asal|originalna poruka|izvorno sporočilo|reply message|antwort ?nachricht|quoted message|en réponse à|antwort auf|missatge original|mesaj(?:ul)? inițial|original"
)
DIVIDER = re.compile(
    rf"[\s>]*(?:[-–—_=*#~]\s?){{2,}}\s*(?:{_ORIGINAL})\s*:?\s*(?:[-–—_=*#~]\s?){{2,}}.*", re.IGNORECASE
)
ANY_DIVIDER = re.compile(r"[-_=*]{3,}\s*[^-_=*\s].{1,60}[^-_=*\s]\s*[-_=*]{3,}")
BARE_DIVIDER = re.compile(rf"[\s>*]*(?:{_ORIGINAL})\s*[:：]?\s*\**\s*", re.IGNORECASE)
FORWARD_DIVIDER = re.compile(
    r"[\s>]*(?:[-–—_=*#~]\s?){2,}\s*(?:forwarded message|forwarded by .*|begin forwarded message|weitergeleitete nachricht|message transféré|message transmis|mensaje reenviado|mensagem encaminhada|mensagem reencaminhada|messaggio inoltrato|"
    r"doorgestuurd bericht|przekazana wiadomość|wiadomość przekazana|переадресованное сообщение|пересылаемое сообщение|пересланное сообщение|thư (?:đã )?chuyển tiếp|tin nhắn chuyển tiếp|转发的?邮件|轉寄(?:的)?郵件|転送(?:された)?メッセージ|전달된 메시지|vidarebefordrat meddelande|videresendt (?:meddelelse|melding))\s*:?.*",
    re.IGNORECASE,
)
APPLE_FORWARD = re.compile(
    r"[\s>]*(?:begin forwarded message|anfang der weitergeleiteten nachricht|début du message (?:réexpédié|transféré)|inicio del mensaje reenviado|início da mensagem (?:encaminhada|reencaminhada)|inizio messaggio inoltrato|"
    r"begin doorgestuurd bericht|początek przekazywanej wiadomości|начало переадресованного сообщения|bắt đầu thư được chuyển tiếp|下面是(?:被)?转发的邮件|以下は転送されたメッセージです|開始轉寄郵件|転送されたメッセージ)\s*[:：]?\s*",
    re.IGNORECASE,
)
REPLY_ABOVE = re.compile(
    r"(?:reply|write|respond|respond|type|answer|enter|add)[^\n]{0,60}\babove (?:this|the) line|antwort[^\n]{0,60}(?:oberhalb|über) dieser (?:zeile|linie)|répon[^\n]{0,60}au-dessus de cette ligne|respon[^\n]{0,60}(?:por )?(?:encima|acima) (?:de|desta)[^\n]{0,10} l[íi]n|"
    r"rispon[^\n]{0,60}sopra (?:di )?questa (?:riga|linea)|antwoord[^\n]{0,60}boven deze (?:lijn|regel)|powyżej tej linii|выше этой (?:линии|строки)|请在此行(?:之)?上|この行(?:より)?(?:の)?上",
    re.IGNORECASE,
)
FORWARD_SUBJECT = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|fw|wg|tr|rv|enc|i|doorst|pd|vs|vl|vb|转发|轉寄|転送|전달|пересл|fs|fyi)\s*(?:\[\d+\])?\s*[:：]",
    re.IGNORECASE,
)
ENDS_WROTE = (
    "wrote", "schrieb", "écrit", "escribió", "escreveu", "scritto", "schreef", "napisał", "napisał(a)", "написал", "написал(а)", "пишет", "viết", "写道", "寫道",
    "skrev", "kirjoitti",
)  # fmt: skip


def says_wrote(text: str) -> bool:
    """Whether a text, in lower case, says that somebody wrote."""
    return names_any(text, WROTE_WORDS)


def has_address(text: str) -> bool:
    """Whether an e-mail address (`ADDRESS`) stands in a text: looked for at each @, not at each letter."""
    at = text.find("@", 1)
    while at > 0:
        before, after = text[at - 1], text[at + 1 : at + 2]
        if after and not (before in _NO_ADDRESS or before.isspace() or after in _NO_ADDRESS or after.isspace()):
            return True
        at = text.find("@", at + 1)
    return False
