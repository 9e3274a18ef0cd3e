"""The words of delivery failures in the languages of the great mail systems: data for `bounces`."""

from __future__ import annotations

import re

# Cheap first look at a subject: without one of these no phrase below can match.
SUBJECT_HINTS = (
    "deliver", "return", "fail", "bounce", "undeliv", "reject", "problem", "warning", "delay", "unknown", "error", "status",
    "nondelivery", "mail system", "zustell", "unzustell", "remis", "remise", "distribu", "non rem", "entreg", "devuel", "devol",
    "recapit", "consegn", "bezorg", "bestel", "aflever", "dostarcz", "zwr", "доставк", "достав", "不能", "退信", "退", "投递", "送达",
    "配信", "配達", "未配", "送信", "エラー", "反송", "반송", "배달", "전송", "leverer", "leverans", "lever", "toimit", "doruč", "iletil",
    "teslim", "kézbes", "livr", "παράδ", "gửi", "gởi", "chuyển", "blocked", "undeliverable", "delivery", "mailbox", "user", "recip",
    "could not", "cannot", "不達", "terkirim", "dikirim", "sorry",
)  # fmt: skip

# Subjects of programs that report a failed or late delivery; only at the beginning.
SUBJECT = re.compile(
    r"\s*(?:\[?\*{0,3}(?:spam|bulk|external|ext)\*{0,3}\]?:?\s*)?(?:"
    r"undeliver(?:able|ed)\b|non-?deliver(?:y|able|ed)\b|un ?delivered|undelivery|"
    r"(?:mail|message|e-?mail)?\s*deliver(?:y|ing) (?:has )?(?:fail|problem|error|delay|warning|status notif|notif|report|unsuccessful|subsystem|incomplete|not )|"
    r"(?:mail|message|e-?mail|your message|your mail)[^:]{0,40} (?:could not|couldn't|cannot|can't|can not|was not|not|has not been|wasn't) (?:be )?(?:deliver|sent)|"
    r"(?:permanent |final |temporary )?delivery (?:fail|problem|status|report|delay|error|notif|warning)|delivery (?:has )?fail|delivery to .{1,80} (?:fail|delay)|"
    r"returned (?:mail|message|e-?mail|to sender)|mail (?:returned|failure)|message (?:returned|undeliverable|bounced|delayed|rejected|status - undeliverable)|"
    r"(?:mail|message|e-?mail) (?:has been |was )?(?:returned|rejected|undeliverable|bounced|blocked)|"
    r"failure (?:notice|delivery)|sorry, your (?:message|mail|e-?mail) |failed (?:mail|delivery|message|to deliver)|mail (?:system )?error|mail failed|bounced (?:mail|message)|"
    r"warning: (?:message|could not send|e-?mail|mail|returned)|warning - delayed|could not send message|cannot send|"
    r"unable to deliver|not delivered|not deliverable|user unknown|unknown user|recipient (?:unknown|rejected|not found)|"
    r"permanent failure|transient failure|address (?:not found|unknown)|message blocked|mailbox (?:full|unavailable|not found)|"
    r"error sending|problem delivering|delivery notification|automatically rejected mail|rejected(?: mail| message)?:|mail not delivered|"
    r"nicht zustellbar|unzustellbar|zustell(?:ung|fehler|bericht)|mail(?:zustellung|fehler)|nachricht (?:konnte )?nicht|unzustellbarkeit|fehlgeschlagen|"
    r"(?:message )?non (?:remis|distribu|délivr)|[ée]chec (?:de |d['’]envoi|remise)|(?:notification|avis) d['’][ée]chec|rapport de non|courrier non|"
    r"no se (?:puede|pudo|ha podido) entregar|no entregado|(?:error|fallo|falla) (?:de|en la|al) entrega|devuelto|devoluci[óo]n|mensaje (?:no entregado|devuelto)|no se entreg|"
    r"n[ãa]o (?:entregue|foi poss[íi]vel)|falha (?:na|de|ao) (?:entrega|envio|entregar)|mensagem (?:n[ãa]o entregue|devolvida)|devolvid|"
    r"mancat[oa] (?:recapit|consegn)|messaggio non (?:recapit|consegn)|non (?:recapitabile|consegnato)|impossibile (?:recapit|consegn)|errore (?:di )?(?:recapit|consegn)|notifica di mancat|"
    r"onbestelbaar|niet (?:bezorgd|afgeleverd|besteld)|bezorg(?:ing|fout)|onbestelde|kan niet worden|"
    r"niedostarcz|nie (?:mo[żz]na|uda[łl]o si[ęe]) dostarczy|zwrot (?:wiadomo|poczty)|raport o niedostarczeniu|"
    r"не ?достав|недоставлен|не удалось доставить|сообщение не|возврат|ошибка доставки|отказ|"
    r"kh[oô]ng (?:th[eể] )?(?:g[uử]i|chuyển|phân phát)|gửi (?:không thành công|thất bại)|thư (?:bị trả|không)|chưa gửi|"
    r"(?:系统)?退信|(?:邮件|郵件)?(?:被)?退[回信]|(?:无法|無法|未能|未)(?:投递|投遞|送达|送達|传递|傳遞|发送|寄送|送信)|投递(?:失败|状态|失敗)|(?:邮件|郵件)(?:投递|发送|發送|傳遞)(?:失败|失敗)|来自.{1,40}的退信|传递(?:失败|状态)|"
    r"配信(?:不能|エラー|失敗|できません|不可|状態)|配達(?:不能|できません|エラー)|未配(?:信|達)|送信(?:エラー|失敗|できません)|メールエラー|不達|エラーメール|メール(?:が|を)?(?:送信|配信)でき|"
    r"반송|배달(?:되지| 실패|할 수)|전송 ?실패|메일 ?반송|발송 ?실패|"
    r"kunde inte lever|inte levererat|olevererbart|misslyckad leverans|leveransfel|(?:kunne )?ikke (?:lever|aflever)|uleveret|ulevert|kan ikke (?:leveres|afleveres)|"
    r"toimitus|ei voitu toimittaa|toimittamaton|nedoru[čc]|nelze doru[čc]|nebylo mo[žz]n|nedoručiteľ|teslim edil|iletilem|k[ée]zbes[íi]t|nem k[ée]zbes|nelivrat|"
    r"αδυναμία παράδοσης|δεν παραδόθηκε|не вдалося достав|недоставлено|tidak terkirim|gagal (?:ter|di)kirim"
    r")",
    re.IGNORECASE,
)

# What the notice itself says.
NOTICE = re.compile(
    r"(?:could ?n[o']t|can ?not|can't|was not|wasn't|were not|has not been|have not been|not be(?:en)?|couldn.t|unable to be) (?:be |been )?(?:successfully )?(?:deliver|sent to|reach|relay|process)|"
    r"undeliver(?:able|ed)|nondeliver|not deliver(?:able|ed)|unable to (?:deliver|relay|send|route)|not able to deliver|"
    r"(?:could|can|did|do|does|was|were) ?n[o'’]?t (?:be able to )?(?:deliver|find|reach|locate|accept)|cannot (?:deliver|find|reach|locate|accept)|"
    r"deliver(?:y|ing)[^.\n]{0,80}\b(?:fail|delayed|postponed|problem|error|unsuccessful|not possible|impossible|suspended|aborted|incomplete)|fail(?:ed|ure|s)?[^.\n]{0,60}deliver|"
    r"fail(?:ed|s) (?:permanently|recipient|address)|permanent(?:ly)?[^.\n]{0,30}(?:error|fail|reject)|fatal error|following (?:e-?mail )?address(?:es)?(?:\(es\))? (?:fail|had|has|have|could)|"
    r"following recipient|delivery problems|returned to (?:the )?sender|returned mail|being returned|has been returned|was returned|returning (?:it|your|mail|message)|"
    r"(?:user|recipient|mailbox|address|account)[^.\n]{0,60}(?:unknown|not found|does ?n[o']t exist|doesn.t exist|unavailable|disabled|inactive|rejected|suspended|is full|not listed|invalid|not valid|over quota|not accept|exceed)|"
    r"(?:unknown|no such|invalid|bad|disabled|non-?existent) (?:local )?(?:user|recipient|mailbox|address|account|destination|domain|host)|(?:over|exceeded?)[^.\n]{0,20} quota|quota exceeded|mailbox (?:is )?full|(?:a )?full mailbox|"
    r"(?:message|mail|e-?mail)[^.\n]{0,60}(?:was|has been|is|were)[^.\n]{0,20}(?:rejected|blocked|refused|bounced|delayed|discarded|quarantined|deleted)|rejected (?:your|the|by|for)|"
    r"will (?:be retried|keep trying|continue to try|try again)|still trying|retry(?:ing)? (?:timeout|for)|giving up|unrout(?:e)?able|host (?:or domain name )?(?:not found|unknown)|"
    r"(?:5\d\d|4\d\d)[ -][45]\.\d{1,3}\.\d{1,3}|final-recipient|diagnostic-code|transcript of session|this is a permanent|relay(?:ing)? (?:access )?denied|access denied|"
    r"did ?n[o']t reach|failure reasons|invalid final delivery|not like recipient|had delivery errors|not reach(?:ed)?|no (?:mail|mx)[^.\n]{0,20}(?:host|record|server)|loops? back|too many hops|mail loop|"
    r"konnte[n]? (?:leider )?nicht (?:\w+ ){0,4}(?:zugestellt|übermittelt|ausgeliefert|gesendet|versendet)|nicht zugestellt|(?:nicht|un) ?zustellbar|zustellung[^.\n]{0,60}(?:fehl|nicht|gescheitert)|nicht erreicht werden|"
    r"n['’]a(?:it)?[^.\n]{0,40}pas (?:pu )?[^.\n]{0,20}(?:[êe]tre )?(?:remis|distribu|d[ée]livr|livr|envoy|achemin)|[ée]chec de (?:la )?(?:remise|distribution|livraison)|impossible (?:de|d['’])[^.\n]{0,20}(?:remettre|distribuer|livrer|d[ée]livrer|acheminer)|non[- ](?:remis|distribu|d[ée]livr)|"
    r"no (?:se )?(?:ha podido|pudo|puede|ha sido posible|fue|pudieron|han podido)[^.\n]{0,40}(?:entreg|envi)|error (?:en|de) (?:la )?entrega|no se entreg|"
    r"n[ãa]o (?:foi|p[ôo]de|pode|foram|puderam)[^.\n]{0,40}(?:entreg|enviad)|falha (?:na|de|ao) entreg|"
    r"non (?:[èe] stato|[èe]|sono|pu[òo]|ha)[^.\n]{0,40}(?:recapit|consegn|inviat)|impossibile (?:recapitare|consegnare)|mancat[oa] (?:recapit|consegn)|"
    r"(?:kon|kan|konden|kunnen|is|werd|zijn)[^.\n]{0,40}niet[^.\n]{0,40}(?:bezorg|afgelever|bestel)|onbestelbaar|"
    r"nie (?:zosta[łl]|mo[żz]na|mog[łl]|uda[łl]o|jest mo[żz]liw|dotar)[^.\n]{0,50}(?:dostarcz|dor[ęe]cz|do )|niedostarcz|"
    r"не (?:может|могло|удалось|удается|был[оаи]?|могут|получается)[^.\n]{0,50}достав|недоставлен|не доставлен|невозможно доставить|"
    r"không (?:thể )?(?:\w+ ){0,3}(?:gửi|chuyển|phân phát|giao)|gửi không thành công|không tồn tại|"
    r"(?:无法|無法|未能|没有|不能|未)[^。\n]{0,20}(?:投递|投遞|送达|送達|传递|傳遞|发送|發送|寄送|到达)|退信|(?:投递|发送|傳遞|传递)失[败敗]|退回|不存在|"
    r"配信(?:でき|不能|エラー|に失敗|されま)|配達(?:でき|され|に失敗)|届け(?:られ|る(?:こと)?が)|送信でき(?:ま|な)|送信(?:に)?失敗|宛先[^。\n]{0,20}(?:存在|不明|見つか)|送信できません|お届けでき|"
    r"(?:배달|전달|전송|발송)[^.\n]{0,20}(?:못|없|실패|되지)|반송|"
    r"kunde inte (?:\w+ )?(?:lever|skick)|kunne ikke (?:\w+ )?(?:lever|aflever|send)|ei voitu toimittaa|ei voida toimittaa|toimitus[^.\n]{0,20}epäonnistui|"
    r"(?:nelze|nebyl[oay]?|nepodařilo|nemohl[oa]?|nebolo)[^.\n]{0,40}doru[čc]|nedoru[čc]|teslim edileme|iletilem|(?:nem|sikertelen)[^.\n]{0,40}k[ée]zbes|nu a putut fi|δεν (?:ήταν δυνατή|μπόρεσε|παραδόθηκε)[^.\n]{0,40}|не вдалося достав",
    re.IGNORECASE,
)

# Names and addresses of the programs that send such notices.
DAEMON = re.compile(
    r"mailer[-_. ]?daemon|mail[-_. ]?daemon|\bdaemon@|post[-_. ]?master|mail deliver|delivery (?:sub)?system|mail system|\bmdaemon|"
    r"mail administrator|system administrator|mail router|microsoftexchange|internet mail|mail transport|"
    r"delivery[- ]?(?:service|status|notification|failure)|mail[-_ ]gateway|^bounces?[@+=-]|[-_.]bounces?@|listserv|"
    r"systemadministrator|administrateur système|administrador del sistema|amministratore di sistema|systembetreuer|errors?@|undeliver|"
    r"messagelabs|mail security",
    re.IGNORECASE,
)

DAEMON_HINTS = (
    "daemon", "post", "deliver", "admin", "bounce", "error", "listserv", "exchange", "mail system", "mail router", "mail transport",
    "internet mail", "security", "messagelabs", "gateway", "system",
)  # fmt: skip

# A line that says who could not be reached, and that address alone on the next.
STRUCTURED = re.compile(
    r"(?:not be|not|unable to|could not|cannot|can't|couldn't be|has failed|failed)[^\n]{0,40}(?:deliver(?:ed)?|reach(?:ed)?)?[^\n]{0,30}"
    r"\b(?:recipients?|address(?:es)?|users?|to)(?:\(e?s\))?[ \t]*:?[ \t]*\n\s{0,80}[\"'<]{0,2}[^\s@<>\"']{1,64}@[^\s@<>\"']{1,255}[\"'>]{0,2}(?:[ \t]+<[^\s<>]{1,320}>)?[ \t]*(?:\n|\Z)",
    re.IGNORECASE,
)
REJECTED = re.compile(r"\brejected\b|\brefused\b|quota exceeded|over quota", re.IGNORECASE)

# A separator after which the original mail follows in the notice.
ORIGINAL = re.compile(
    r"^[ \t]*(?:-{3,}[^\n]{0,80}(?:copy of|original|returned|undelivered|unsent|message header|message text|below|begin|header)[^\n]{0,80}"
    r"|[^\n]{0,60}(?:original message (?:follows|headers?|below)|copy of (?:your|the) (?:message|original)|message headers? follow|returned message follows|"
    r"headers? of (?:the|your) (?:original )?message|text of (?:your|the) message|unsent message (?:below|follows)|included below|original mail header|"
    r"ursprüngliche nachricht|message d['’]origine|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|原始邮件|元のメッセージ)[^\n]{0,80}"
    r"|Received: from [^\n]{0,200}|Return-Path: ?<[^\n]{0,200}|Message-I[dD]: ?<[^\n]{0,200}|X-Mailer: [^\n]{0,100})[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)

# The first field of the header of a mail that a plain notice repeats.
FIRST_FIELD = re.compile(
    r"^(?:return-path|received|message-id|date|from|to|subject|mime-version|x-[a-z-]{1,60}):[ \t]",
    re.IGNORECASE | re.MULTILINE,
)

# Words from which the meaning of a failure without a code can be told (RFC 3463): the first that matches counts.
MEANINGS = (
    ("5.1.1", re.compile(r"user unknown|not recogni[sz]ed|unknown (?:local )?(?:user|recipient|mailbox)|no such (?:user|recipient|mailbox|address|person|local)|does(?: not|n[o'’]t) exist|not listed|invalid (?:recipient|mailbox|user)|(?:user|recipient|mailbox|address|account)[^.\n]{0,40} not (?:found|exist)|addresses? (?:is |was )?(?:unknown|not found)|doesn.t have (?:a|an) [^.\n]{0,60}account|no mailbox|unbekannt|inconnu|desconocid|sconosciut|onbekend|nieznany|неизвест|不存在|宛先不明|存在しません", re.I)),
    ("5.2.2", re.compile(r"(?:mailbox|mail ?box|inbox|account|postfach|user|boîte|buzón)[^.\n]{0,40}(?:full|voll|pleine|llen)|over ?quota|quota[^.\n]{0,20}exceed|exceed[^.\n]{0,30}quota|storage (?:limit|quota)|disk full|容量", re.I)),
    ("5.2.1", re.compile(r"(?:mailbox|account|user|address)[^.\n]{0,40}(?:disabled|inactive|suspended|deactivated|not active|expired)", re.I)),
    ("5.3.4", re.compile(r"(?:message|mail)[^.\n]{0,40}(?:too (?:big|large)|size)[^.\n]{0,40}|exceed[^.\n]{0,40}(?:size|limit)", re.I)),
    ("5.1.2", re.compile(r"(?:host|domain|server)[^.\n]{0,40}(?:not found|unknown|does(?: not|n[o'’]t) exist|could ?n[o']t be found|invalid)|unrout(?:e)?able|no (?:mx|route|such domain)|bad (?:destination|host)", re.I)),
    ("5.4.6", re.compile(r"too many hops|mail loop|loops back|routing loop", re.I)),
    ("5.7.1", re.compile(r"relay[^.\n]{0,20}(?:denied|not permitted|prohibited)|spam|blocked|blacklist|policy|rejected|denied|not (?:allowed|permitted|authori[sz]ed)|refused by", re.I)),
    ("4.4.7", re.compile(r"retry (?:time ?out|period)|(?:message|delivery) (?:time|expired)|too long|in queue|giving up|for \d+ (?:days|hours)", re.I)),
    ("4.4.1", re.compile(r"timed? ?out|connection (?:refused|failed|dropped)|no answer|not respond|unreachable", re.I)),
)  # fmt: skip

DELAYED = re.compile(
    r"delayed|still (?:being )?(?:trying|retried)|will (?:be retried|keep trying|continue|try again)|warning|no action is required|temporar(?:y|ily)|deferred|"
    r"verzöger|retard|retras|atras|ritard|vertrag|opóźni|задерж|trì hoãn|延迟|延遲|遅延|遅れ",
    re.IGNORECASE,
)

# The words from here on are matched with lower-case text, which takes a third of the time.
# It is over: said of what happened, never of what may ("will give up", "before the message expired").
RAN_OUT = re.compile(
    r"(?:envelope|message|mail|queue(?: life)?(?: ?time)?|delivery (?:time|period)|retry (?:time|period|limit)|life ?time)"
    r"(?: (?:in queue|for this message|limit|to live))?"
    r"(?: (?:has|have|had|is|was|already)){0,2} (?:expired|exceeded|elapsed|timed out|run out)\b"
)
NOT_YET = ("not ", "n't ", "yet ", "before the ", "until the ", "when the ", "once the ")  # before such words
FINAL_LINE = re.compile(r"^(?:[ \t]{0,8}giving up\b|message will be deleted from (?:the )?queue)", re.MULTILINE)
FINAL = re.compile(
    r"retry time ?out exceeded|(?:maximum|max) (?:queue|retry|delivery) (?:time|period|attempts)[^.\n]{0,20} (?:exceeded|reached)|"
    r"(?:'ve|have|has|had) (?:now |finally )?given up|g(?<!\w.)ave up\b|not going to try (?:it |this |that )?again|"
    r"will not be (?:re)?tried(?: again)?|no (?:further|more|additional) (?:delivery )?(?:attempts?|tries|retries)\b(?! (?:has|have|was|were))|"
    r"(?:been|was|were) in the queue (?:for )?too long|too long in (?:the )?queue|"
    r"(?:has|have) been (?:removed|deleted|discarded|dropped|thrown away)(?! your)|this is a permanent (?:error|failure)|"
    r"endg[üu]ltig|verworfen|aufgegeben|nicht (?:weiter|mehr|erneut) versucht|d[ée]finitivement|abandonn[ée]|a expir[ée]|ha caducado|definitivamente|"
    r"è scaduto|definitief|wygas[łl]|истек|окончательно|已过期|已過期|期限切れ|만료",
)

FINAL_HINTS = (
    "expired", "exceeded", "elapsed", "timed out", "run out", "given up", "gave up", "giving up", "not going to try", "not be", "no further",
    "no more", "no additional", "reached", "too long", "deleted", "removed", "discarded", "dropped", "thrown", "permanent", "ltig", "verworfen",
    "aufgegeben", "versucht", "finitiv", "abandonn", "expir", "caducado", "scaduto", "wygas", "истек", "окончат", "过期", "過期", "切れ", "만료",
)  # fmt: skip

# Programs that report nothing but losses, whatever their report calls it: nullmailer's own text speaks of a final
# notification that never follows.
NEVER_LATE = "this is the nullmailer delivery system"

GOING_ON = re.compile(
    r"will (?:be (?:re)?tried|be attempted|keep (?:on )?trying|continue|try again|retry)|still (?:being )?(?:trying|retried)|(?:attempts|retries) will (?:be made|continue)|"
    r"wird (?:weiter|erneut) versucht|sera (?:de nouveau|à nouveau)|volver[áa] a intentar|повтор",
)

# What codes mean (RFC 3463 and its registry): without the class, since the state says that. First the exact ones.
PLAIN = {
    "1.1": "There is no such address.",
    "1.2": "The address's domain does not exist or takes no mail.",
    "1.3": "The address is not written right.",
    "1.4": "The address stands for more than one mailbox.",
    "1.6": "The mailbox has moved, and nobody said where to.",
    "1.10": "The address's domain takes no mail.",
    "2.1": "The mailbox is switched off or takes no mail.",
    "2.2": "The mailbox is full.",
    "2.3": "The message is too long for the mailbox.",
    "2.4": "The mailing list could not be expanded.",
    "3.1": "The other server's disk is full.",
    "3.2": "The other server takes no mail just now.",
    "3.4": "The message is too long for the other server.",
    "4.1": "The other server did not answer.",
    "4.2": "The connection to the other server broke.",
    "4.3": "The other server's address could not be looked up.",
    "4.4": "No server for the address was found.",
    "4.6": "The message went round in a loop.",
    "4.7": "The other server could not be reached in time.",
    "7.1": "The other server refuses it by its rules.",
    "7.8": "The other server refused our sign-in.",
    "7.9": "The other server refused our sign-in.",
    "7.23": "The other server refuses it: the SPF check failed.",
    "7.26": "The other server refuses it: SPF and DKIM checks failed.",
    "1": "Something is wrong with the address.",
    "2": "The mailbox could not take it.",
    "3": "The other server could not take it.",
    "4": "The other server could not be reached.",
    "5": "The servers did not understand each other.",
    "6": "The other server cannot take this kind of content.",
    "7": "The other server refuses it by its rules.",
}

# A list, a desk or a filter that does not take a mail, and says so to its sender in a mail of its own.
REFUSED = re.compile(
    r"\b(?:message|e-?mail|mail|post(?:ing)?|request|submission|reply|answer|follow-?up|ticket)\b[^.]{0,160}?"
    r"\b(?:was|has been|have been|is|were|could not be|cannot be)(?: automatically)? (?:rejected|refused|declined|denied|bounced|not accepted|accepted|processed)\b|"
    r"not (?:allowed|permitted|authori[sz]ed) to post|(?:no|not have) (?:permission|right) to (?:post|reply|comment|write|create)|has no right to|"
    r"not a registered user|problems? handling your|wurde (?:abgelehnt|zur[üu]ckgewiesen|nicht angenommen)|a [ée]t[ée] (?:rejet|refus)|ha sido rechazad|è stat[oa] rifiutat",
)
REFUSED_TITLE = re.compile(
    r"(?:^|[\]:)]\s{0,4})(?:permission denied\b|"
    r"your (?:e-?mail|message|mail|request|post(?:ing)?|submission|follow-?up|reply|answer)\b[^\n]{0,60}?(?:has been|was|is|could not be) (?:rejected|refused|declined|denied|not accepted|accepted|processed)|"
    r"failed [a-z ]{0,30}submission|request to mailing list .{1,80} rejected|(?:could not|unable to|cannot) (?:process|accept|record|import) your|"
    r"(?:e-?mail|message|post|posting|reply) (?:was |has been )?(?:rejected|refused|denied|declined)|rejected (?:posting|post|e-?mail|message)|"
    r"ihre (?:e-?mail|nachricht) wurde (?:abgelehnt|zur[üu]ckgewiesen)|votre message a [ée]t[ée] (?:rejet|refus))",
)
