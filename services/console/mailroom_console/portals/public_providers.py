"""Domains that belong to everybody: public mail providers and public suffixes. No company receives their mail. Pure."""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

# What anybody can have a mailbox at. Names under them are theirs as well.
_NAMES = """
126.com 163.com 21cn.com abv.bg aim.com alice.it aliyun.com aol.com arcor.de att.net bellsouth.net bigpond.com bk.ru
bluewin.ch bol.com.br btinternet.com centrum.cz charter.net comcast.net cox.net daum.net duck.com earthlink.net email.cz
email.de fastmail.com fastmail.fm foxmail.com free.fr freemail.hu freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de
gmx.net googlemail.com hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it hush.com
hushmail.com icloud.com inbox.lv inbox.ru interia.pl laposte.net libero.it list.ru live.com live.de live.fr live.nl
mac.com mail.com mail.de mail.ee mail.ru mailbox.org mailfence.com me.com msn.com nate.com naver.com ntlworld.com o2.pl
onet.pl orange.fr outlook.com outlook.de outlook.es outlook.fr outlook.it pm.me posteo.de proton.me protonmail.ch
protonmail.com qq.com rambler.ru rediffmail.com rocketmail.com sbcglobal.net seznam.cz sfr.fr shaw.ca sina.cn sina.com
sky.com sohu.com sympatico.ca t-online.de talktalk.net telenet.be terra.com.br tin.it tutamail.com tutanota.com uol.com.br
verizon.net virgilio.it virginmedia.com wanadoo.fr web.de windstream.net wp.pl xs4all.nl xtra.co.nz ya.ru yahoo.co.in
yahoo.co.jp yahoo.co.uk yahoo.com yahoo.de yahoo.es yahoo.fr yahoo.it yandex.com yandex.ru yeah.net ymail.com zoho.com
zohomail.com ziggo.nl zonnet.nl
"""
PUBLIC = frozenset(_NAMES.split())


def is_public(domain: str) -> bool:
    """Whether a domain (ASCII, lower case) is everybody's: a provider's, below a provider's, or a public suffix."""
    labels = domain.split(".")
    if any(".".join(labels[start:]) in PUBLIC for start in range(len(labels))):
        return True
    return bool(_suffixes().is_public(domain))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
