"""Where a person's text ends and the signature begins. Pure, linear: looks at whole lines, each a bounded number of times."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailroom_mail.kinds.automatic import names_any

_DELIMITER = re.compile(r"\s*(?:--|––)[ \xa0]*\Z")
_RULE = re.compile(r"\s*(?:[-_=*~#]\s?){2,}\s*\Z")
_RULES = "-_=*~#"
_DEVICE = (
    r"(?:iphone|ipad|ipod|android|samsung|galaxy|blackberry|huawei|xiaomi|nokia|windows phone|windows|outlook|yahoo|gmail|mail|mobile|mobil|smartphone|handy|phone|telefon|téléphone|teléfono|telemóvel|celular|cellulare|tablet|"
    r"protonmail|proton mail|gmx|web\.de|t-online|aol|hotmail|thunderbird|airmail|spark|htc|lg|sony|xperia|nexus|pixel|oneplus|oppo|vivo|realme|redmi|lenovo|motorola|verizon|at&t|t-mobile|sprint|wireless|device|apparaat|toestel|appareil|dispositivo|"
    r"телефон|смартфон|устройства|điện thoại|手机|手機|携帯|スマートフォン|mailbird|foxmail|bluemail|newton|tutanota|zoho|icloud|macbook|mac|apple|ios|bluetooth|wlan|fairphone|e-?plus|o2|vodafone|orange|libero|app|application)"
)
_FOOTER = re.compile(
    r"\s*[*_(\[<>-]*\s*(?:"
    r"sent (?:from|with|via|using|on) (?:my |the |a )?[\w'’.&+-]+(?:[ \xa0][\w'’.&+-]+){0,6}"
    rf"|sent (?:from|with|via|using|by) [^\n,;]{{0,60}}{_DEVICE}[^\n,;]{{0,40}}"
    r"|get outlook for [^\n]{0,60}|get the (?:app|outlook)[^\n]{0,40}|download (?:outlook|the [^\n]{0,20}app)[^\n]{0,40}"
    rf"|(?:diese nachricht wurde )?(?:von|mit|aus|über|vom) (?:meine[mr]? |der |einem |dem )?[^\n]{{0,50}}{_DEVICE}[^\n]{{0,50}}(?:gesendet|versendet|verschickt|geschickt)[^\n]{{0,20}}|gesendet (?:von|mit|aus|über|via)[^\n]{{0,80}}|outlook für [^\n]{{0,20}}(?:beziehen|herunterladen|abrufen)[^\n]{{0,60}}|holen sie sich outlook[^\n]{{0,60}}"
    r"|envoyé (?:de|depuis|avec|à partir d|par|via|du)[^\n]{0,90}|télécharge[rz] outlook[^\n]{0,60}|obtenir outlook[^\n]{0,60}|obtenez outlook[^\n]{0,60}|provenance : [^\n]{0,60}"
    r"|enviad[oa] (?:desde|con|de|do|da|via|a partir d|pelo|por)[^\n]{0,90}|obt(?:ener|én|enga|er|enha)[^\n]{0,6}outlook[^\n]{0,60}|descarg(?:ar|a|ue)[^\n]{0,4} ?outlook[^\n]{0,60}"
    r"|inviato (?:da|dal|dall['’]|con|tramite)[^\n]{0,90}|(?:scarica|ottieni) outlook[^\n]{0,60}"
    r"|ver(?:stuurd|zonden) (?:vanaf|met|via|van|vanuit)[^\n]{0,90}|outlook voor [^\n]{0,20}(?:downloaden|ophalen)[^\n]{0,60}|(?:download|haal) outlook voor[^\n]{0,60}"
    r"|wysłan[eoay] (?:z|ze|za pomocą|przez|przy)[^\n]{0,90}|pobierz (?:aplikację )?outlook[^\n]{0,60}"
    r"|отправлено (?:с|из|через|от|при помощи)[^\n]{0,90}|(?:скачать|загрузить|получить|скачайте|получите) outlook[^\n]{0,60}|надіслано (?:з|із)[^\n]{0,90}"
    r"|(?:được )?gửi từ [^\n]{0,80}|(?:tải|nhận|lấy) (?:xuống )?outlook[^\n]{0,60}|đã gửi từ [^\n]{0,80}"
    r"|发自(?:我的|我)?[^\n]{0,40}|(?:從|从|由)我的[^\n]{0,40}(?:傳送|发送|寄出|發送)[^\n]{0,10}|(?:傳送|发送)自[^\n]{0,40}|(?:获取|下載|下载|取得)[^\n]{0,4}(?:适用于[^\n]{0,20})?outlook[^\n]{0,60}|寄件自[^\n]{0,40}|來自我的[^\n]{0,40}"
    r"|[^\n]{0,40}から送信(?:されました|しました)?[^\n]{0,10}|outlook for [^\n]{0,20}(?:を入手|の入手|を取得)[^\n]{0,60}|(?:나의|내) [^\n]{0,20}에서 보냄|[^\n]{0,30}에서 보냄"
    r"|(?:skickat|sendt) (?:från|fra|med|via)[^\n]{0,80}|(?:hämta|hent|skaff) outlook[^\n]{0,60}|lähetetty [^\n]{0,60}|odesl[aá]no z[^\n]{0,60}|odoslané z[^\n]{0,60}|(?:iphone|android)['’]?\w{0,6} ?(?:telefonumdan|cihazımdan|uygulamasından)? ?gönderildi|küldve [^\n]{0,40}"
    r"|(?:virus-?free|virenfrei|sans virus|libre de virus|livre de vírus|virusvrij|privo di virus|wolny od wirusów|без вирусов)\.?\s*(?:www\.(?:avg|avast)|<)[^\n]{0,80}"
    r")\s*[*_)\]>.-]*\s*\Z",
    re.IGNORECASE,
)
_FOOTER_HINTS = (
    "sent ", "get ", "download", "gesendet", "versendet", "verschickt", "geschickt", "outlook", "envoy", "provenance", "enviad", "inviato", "ver", "wysłan", "отправлено",
    "надіслано", "gửi", "发自", "我的", "自", "から送信", "보냄", "skickat", "sendt", "lähetetty", "odesl", "odosl", "gönderildi", "küldve", "vir", "вирусов",
)  # fmt: skip
_CLOSING = re.compile(
    r"\s*(?:(?:kind(?:est)?|best|warm(?:est)?|with (?:best|kind|warm)|many)? ?regards?|regards|best(?: wishes)?|cheers|sincerely|(?:yours|very truly) (?:sincerely|truly|faithfully)|yours|thanks(?: (?:and|&) regards| in advance)?|thank you|many thanks|cordially|"
    r"(?:mit )?(?:freundlich(?:en|e|st)|lieben?|besten?|herzlich(?:en|e)|viele[n]?|schönen?) gr(?:ü|ue)(?:ß|ss)(?:en|e)?(?: aus .{1,30})?|gru(?:ß|ss)|mfg|vg|lg|hochachtungsvoll|"
    r"(?:bien )?(?:cordialement|amicalement|sincèrement)|(?:avec mes )?(?:meilleures )?salutations(?: distinguées)?|bien à (?:vous|toi)|cdlt|"
    r"(?:un )?(?:(?:cordial(?:es)?|atentos?) )?saludos?(?: cordiales)?|atentamente|atenciosamente|att\.?|(?:com os )?(?:melhores )?cumprimentos|abraços?|"
    r"(?:cordiali|distinti|cari) saluti|cordialmente|saluti|met (?:vriendelijke|hartelijke) groet(?:en)?|(?:vriendelijke )?groet(?:en|jes)?|mvg|"
    r"(?:z )?(?:poważaniem|pozdrowieniami)|pozdrawiam(?: serdecznie)?|(?:с уважением|с наилучшими пожеланиями)|trân trọng(?: kính chào)?|thân(?: mến| ái)?|kính thư|"
    r"此致|敬(?:礼|禮|上|具)|祝好|顺祝商祺|谢谢|以上(?:、|,)?ありがとうございます|(?:どうぞ)?よろしくお願い(?:いた|致)?し?ます|"
    r"(?:med )?(?:vänlig(?:a)?|venlig|vennlig|bästa|med venlig|bedste|beste) h[äi]lsning(?:ar|er)?|mvh|hälsningar|terveisin|s pozdravem|saygılarımla|üdvözlettel)\s*[,.!:。，、!-]*\s*\Z",
    re.IGNORECASE,
)
_CLOSING_MAX = 60
_MOST_SIGNATURE_LINES = 12
_CONTACT = re.compile(
    r"\+?\d[\d ()/.-]{6,}\d|@|https?:|www\.|\b(?:tel|phone|fax|mobile|mob|gmbh|ltd|inc|llc|s\.a\.|b\.v\.|co\.)\b",
    re.IGNORECASE,
)
_LEGAL = re.compile(
    r"confidential|disclaimer|vertraulich|confidentiel|confidencial|riservat|vertrouwelijk|poufn|конфиденц|bảo mật|保密|機密|privileged|intended (?:only|solely)",
    re.IGNORECASE,
)


def is_footer(line: str) -> bool:
    """Whether a line is what a mobile or web client adds ("Sent from my iPhone", "Get Outlook for iOS")."""
    low = line.strip().lower()
    return 0 < len(low) <= 160 and names_any(low, _FOOTER_HINTS) and _FOOTER.match(low) is not None


def without_signature(lines: list[str], *, quoted: bool) -> list[str]:
    """The lines before the signature; `quoted` says that history was taken away below."""
    if quoted and "---" in lines and (end := _before_dashes(lines)):
        lines = lines[:end]
    return lines[: body_end(lines)]


def before_marked(lines: Sequence[str], signature: str) -> Sequence[str] | None:
    """The lines before those at the end that say what `signature` says, however wrapped; None where they do not."""
    wanted = "".join(signature.split())
    end = len(lines)
    while end and wanted:
        words = "".join(lines[end - 1].split())
        if not wanted.endswith(words):
            return None
        wanted = wanted[: len(wanted) - len(words)]
        end -= 1
    while end and not lines[end - 1].strip(" -\xa0\t\u2013"):
        end -= 1
    return lines[:end] if end and not wanted else None


def _before_dashes(lines: Sequence[str]) -> int:
    """Where three dashes alone (Roundcube's, above the quotation) stand above a few lines with contact data, else 0."""
    last = len(lines)
    while last and not lines[last - 1].strip():
        last -= 1
    for index in range(last - 2, max(0, last - 2 - _MOST_SIGNATURE_LINES), -1):
        line = lines[index].strip()
        if not line or len(line) > 100:
            return 0
        if line == "---":
            return index if _contacts(lines[index + 1 : last]) and any(one.strip() for one in lines[:index]) else 0
    return 0


def body_end(lines: Sequence[str]) -> int:
    """How many of the lines come before the signature; all of them where there is none, or nothing before it."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    end = _cut(lines, end)
    while end and not lines[end - 1].strip():
        end -= 1
    return end


def _cut(lines: Sequence[str], end: int) -> int:
    # The delimiter of RFC 3676 section 4.3: whatever follows it is signature.
    whole = "\n".join(lines)
    for index in range(end) if "--" in whole or "––" in whole else ():
        line = lines[index]
        if ("--" in line or "––" in line) and _DELIMITER.match(line) and any(one.strip() for one in lines[:index]):
            end = index
            break
    # A client's footer after a blank line: what follows is signature or history without any mark.
    blank = [not line.strip() for line in lines[:end]]
    above = blank.index(False) if False in blank else end  # the first line with anything
    while True:
        try:
            above = blank.index(True, above + 1)
        except ValueError:
            break
        index = above + 1
        if index < end and (index + 1 == end or blank[index + 1]) and is_footer(lines[index]):
            end = index
            break
    last = end
    for _ in range(6):
        while last and (not lines[last - 1].strip() or _RULE.match(lines[last - 1])):
            last -= 1
        if last > 0 and is_footer(lines[last - 1]):
            last -= 1
            end = last
        elif (
            last > 1
            and len(lines[last - 1].strip()) <= 80
            and lines[last - 1].strip().startswith(("<http", "http"))
            and is_footer(lines[last - 2])
        ):
            last -= 2
            end = last
        else:
            break
    return _closing_cut(lines, end)


def _closing_cut(lines: Sequence[str], end: int) -> int:
    """Cut a closing formula with a block of name, title and numbers below it; a mere name stays, a person wrote it."""
    below: list[str] = []
    for index in range(end - 1, -1, -1):
        line = lines[index].strip()
        if not line:
            continue
        if len(line) <= _CLOSING_MAX and _CLOSING.match(line) and any(other.strip() for other in lines[:index]):
            return index if len(below) >= 2 else end
        if (
            line[0] in _RULES
            and _RULE.match(line)
            and index
            and below
            # numbers and addresses are looked for only where they decide: the search costs more than all the rest
            and (_contacts(below) > 1 or _LEGAL.search(" ".join(lines[index:end])[:4000]))
        ):
            return _closing_cut(lines, index)
        below.append(line)
        if len(below) > _MOST_SIGNATURE_LINES or len(line) > 120:
            break
    return end


def _contacts(lines: Sequence[str]) -> int:
    """How many of the lines have a telephone number, an address or the like."""
    return sum(_CONTACT.search(line[:300]) is not None for line in lines)
