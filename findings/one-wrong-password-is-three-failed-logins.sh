#!/usr/bin/env bash
# aiosmtplib 5.1.3 (PyPI), Python 3.11. After a 535 its login() goes on with the next mechanism that the server offers, so one
# wrong password is as many failed logins as the server has mechanisms of three (CRAM-MD5, PLAIN, LOGIN): a server that locks
# an account after five is reached with two. And auth_xoauth2() always puts the token on the AUTH line, however long: a token
# as Entra's are (1,600 characters) makes a line of over 2,000 octets, where RFC 4954 section 4 allows 512 and wants the token
# sent after a 334 instead; Postfix takes 2,048, Dovecot's submission service 1,024, and say 5xx to a good token then.
# Output seen:
#   one wrong password: ['CRAM-MD5', 'PLAIN', 'LOGIN']
#   AUTH line with a token of 1,600 characters: 2195 octets
# Exits non-zero when this changes.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/v"
"$folder/v/bin/pip" install -q --disable-pip-version-check aiosmtplib==5.1.3
"$folder/v/bin/python" - <<'PY'
import asyncio
import aiosmtplib

heard = []

async def serve(reader, writer):
    writer.write(b"220 mail.example ESMTP\r\n")
    while line := await reader.readline():
        word = line.split()[0].upper() if line.split() else b""
        if word == b"EHLO":
            writer.write(b"250-mail.example\r\n250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2\r\n")
        elif word == b"AUTH":
            heard.append(line)
            if line.split()[1] in (b"PLAIN", b"XOAUTH2"):
                writer.write(b"535 5.7.8 authentication failed\r\n")
                continue
            writer.write(b"334 PDFAbT4=\r\n")
            await reader.readline()
            writer.write(b"535 5.7.8 authentication failed\r\n")
        else:
            writer.write(b"221 bye\r\n")

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.sockets[0].getsockname()[1], start_tls=False)
    await client.connect()
    for try_it in (lambda: client.login("u@shop.example", "wrong"), lambda: client.auth_xoauth2("u@shop.example", "t" * 1600)):
        try:
            await try_it()
        except aiosmtplib.SMTPAuthenticationError:
            pass
    await client.quit()
    server.close()
    logins = [line.split()[1].decode() for line in heard]
    print("one wrong password:", logins[:-1])
    print("AUTH line with a token of 1,600 characters:", len(heard[-1]), "octets")
    assert len(logins[:-1]) == 3 and len(heard[-1]) > 2000

asyncio.run(main())
PY
