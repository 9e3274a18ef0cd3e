"""The mail servers that are driven: how each is configured to carry our mails and to tell soon what it could not deliver."""

from __future__ import annotations

from support.postfix_relay import main_cf, master_cf

from .servers import Server

_SERVICES = """pickup unix n - n 60 1 pickup
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
scache unix - - n - 1 scache
"""
EXIM = Server(
    "Exim", ("exim4-base", "exim4-config", "exim4-daemon-light"), "exim4-daemon-light",
    {"/compat/exim.conf": """primary_hostname = mx.example.net
daemon_smtp_ports = {listen}
local_interfaces = 127.0.0.1
tls_advertise_hosts =
acl_smtp_rcpt = take
delay_warning = 2s
trusted_users = root
begin acl
take:
  accept
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1
  transport = world
  self = send
begin transports
world:
  driver = smtp
  port = {world}
  allow_localhost
begin retry
* * F,12s,2s
"""},
    "exec exim4 -C /compat/exim.conf -bdf -q1s",
)  # fmt: skip
OPENSMTPD = Server(
    "OpenSMTPD", ("opensmtpd",), "opensmtpd",
    {"/compat/smtpd.conf": """bounce warn-interval 2s
queue ttl 15s
listen on 127.0.0.1 port {listen} hostname mx.example.net
action "out" relay host smtp://127.0.0.1:{world}
match from any for any action "out"
"""},
    "exec smtpd -d -f /compat/smtpd.conf",
)  # fmt: skip
POSTFIX = Server(
    "Postfix", ("postfix",), "postfix",
    {"/compat/postfix/main.cf": main_cf(
        "mx.example.net", "{world}", queue_directory="/var/spool/postfix", maximal_queue_lifetime="10s",
        bounce_queue_lifetime="10s", minimal_backoff_time="1s", maximal_backoff_time="2s", queue_run_delay="1s",
        delay_warning_time="2s",
    ), "/compat/postfix/master.cf": master_cf("{listen}", _SERVICES)},
    "rm -f /var/spool/postfix/pid/master.pid; exec postfix -c /compat/postfix start-fg",
)  # fmt: skip
SENDMAIL = Server(
    "sendmail", ("sendmail-base", "sendmail-cf", "sendmail-bin"), "sendmail-bin",
    {"/compat/sendmail.mc": """include(`/usr/share/sendmail/cf/m4/cf.m4')
OSTYPE(`debian')
define(`confDOMAIN_NAME', `mx.example.net')
define(`SMART_HOST', `esmtp:[127.0.0.1]')
define(`ESMTP_MAILER_ARGS', `TCP $h {world}')
define(`confTO_QUEUEWARN', `1s')
define(`confTO_QUEUERETURN', `12s')
define(`confDONT_PROBE_INTERFACES', `True')
FEATURE(`promiscuous_relay')
FEATURE(`accept_unqualified_senders')
FEATURE(`accept_unresolvable_domains')
FEATURE(`nocanonify')
DAEMON_OPTIONS(`Family=inet, Port={listen}, Addr=127.0.0.1')
MAILER(`smtp')
"""},
    "m4 /compat/sendmail.mc > /compat/sendmail.cf; install -d -o root -g smmsp -m 2700 /var/spool/mqueue || install -d -m 700 /var/spool/mqueue; exec sendmail -bD -C /compat/sendmail.cf -q1s",
)  # fmt: skip
COURIER = Server(
    "Courier", ("courier-mta",), "courier-mta",
    {
        "/etc/courier/esmtproutes": ":[127.0.0.1],{world}\n",
        "/etc/courier/me": "mx.example.net\n",
        "/etc/courier/locals": "localhost\n",
        "/etc/courier/defaultdomain": "mx.example.net\n",
        "/etc/courier/dsnfrom": "mailer-daemon@mx.example.net\n",
        "/etc/courier/queuetime": "12s\n",
        "/etc/courier/warntime": "2s\n",
        "/etc/courier/retryalpha": "1s\n",
        "/etc/courier/retrybeta": "1\n",
        "/etc/courier/retrygamma": "1s\n",
        "/etc/courier/retrymaxdelta": "0\n",
    },
    """printf 'PORT={listen}\\nADDRESS=127.0.0.1\\nBOFHCHECKDNS=0\\nMAXPERIP=20\\nMAXPERC=20\\n' >> /etc/courier/esmtpd
echo 'ESMTP_BLOCKBACKSCATTER=' >> /etc/courier/courierd
makesmtpaccess; makeacceptmailfor; makealiases
courier start; esmtpd start
exec tail -f /dev/null""",
)  # fmt: skip
CHASQUID = Server(
    "chasquid", ("chasquid", "openssl"), "chasquid",
    {"/etc/chasquid/chasquid.conf": """hostname: "mx.example.net"
smtp_address: "127.0.0.1:{listen}"
submission_address: ""
submission_over_tls_address: ""
monitoring_address: ""
mail_delivery_agent_bin: "/compat/deliver"
mail_delivery_agent_args: "%to%"
mail_delivery_agent_args: "%from%"
dovecot_auth: false
mail_log_path: "<stdout>"
""",
    # mda-lmtp of 1.11 gives up on nothing (exit status 75 whatever was said to RCPT), so it gets only what is taken
    "/compat/deliver": """#!/bin/sh
case "$1" in
unknown-*) echo "$1: no such user here"; exit 67;;
policy-*) echo "delivery refused: message looks like an advertisement"; exit 77;;
esac
exec mda-lmtp -addr_network=tcp -addr=127.0.0.1:{world} -f="$2" -d="$1"
"""},
    """chmod 755 /compat/deliver
certs=/etc/chasquid/certs/mx.example.net; mkdir -p $certs
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.example.net -keyout $certs/privkey.pem -out $certs/fullchain.pem 2>/dev/null
for who in unknown-chasquid@customer.example policy-chasquid@customer.example fine-chasquid@customer.example shop@customer-shop.example
do mkdir -p /etc/chasquid/domains/${who#*@}; chasquid-util user-add $who --password=secret1; done
exec chasquid -config_dir=/etc/chasquid""",
    tries=(("unknown",), ("policy",), ("fine", "unknown")),
    lmtp=True,
)  # fmt: skip
# Postfix stands before it: dovecot-lda gets the mail of whose mailbox is full, all others' goes by LMTP.
DOVECOT = Server(
    "Dovecot/Pigeonhole", ("dovecot-core", "dovecot-lmtpd", "dovecot-sieve", "postfix"), "dovecot-sieve",
    {
        "/compat/postfix/main.cf": main_cf(
            "mx.example.net", "{world}", queue_directory="/var/spool/postfix", transport_maps="regexp:/compat/transport",
            lda_destination_recipient_limit="1", queue_run_delay="1s", minimal_backoff_time="1s",
        ),
        "/compat/postfix/master.cf": master_cf("{listen}", _SERVICES + """lmtp unix - - n - - lmtp
lda unix - n n - 1 pipe user=vmail argv=/usr/lib/dovecot/dovecot-lda -c /compat/dovecot.conf -f ${sender} -d ${recipient}
"""),
        "/compat/transport": r"""/^full-/ lda:
/@customer\.example$/ lmtp:unix:/compat/lmtp
""",
        "/compat/dovecot.conf": """protocols = lmtp
log_path = /compat/dovecot.log
ssl = no
stats_writer_socket_path =
hostname = mx.example.net
postmaster_address = postmaster@customer.example
mail_location = maildir:~/Maildir
submission_host = 127.0.0.1:{world}
mail_plugins = quota
quota_full_tempfail = no
passdb {
  driver = passwd-file
  args = /compat/users
}
userdb {
  driver = passwd-file
  args = /compat/users
}
service auth {
  unix_listener auth-userdb {
    mode = 0666
  }
}
service lmtp {
  unix_listener /compat/lmtp {
    mode = 0666
  }
}
plugin {
  quota = maildir:User quota
}
protocol lmtp {
  mail_plugins = quota sieve
}
protocol lda {
  mail_plugins = quota sieve
}
""",
        "/compat/refuses.sieve": """require ["reject"];
reject "I do not want mail from shops. Zoë";
""",
        "/compat/away.sieve": """require ["vacation"];
vacation :days 1 "I am on holiday until Monday.";
""",
    },
    """useradd --system --no-create-home vmail; mkdir -p /compat/mail; chown vmail /compat/mail
touch /compat/dovecot.log; chmod 666 /compat/dovecot.log
user() { echo "$1-dovecot@customer.example:{PLAIN}-:$(id -u vmail):$(id -g vmail)::/compat/mail/$1::$2" >> /compat/users; }
user full userdb_quota_rule=*:bytes=1; user over userdb_quota_rule=*:bytes=1; user fine
user refuses userdb_sieve=file:/compat/refuses.sieve; user away userdb_sieve=file:/compat/away.sieve
dovecot -c /compat/dovecot.conf
rm -f /var/spool/postfix/pid/master.pid; exec postfix -c /compat/postfix start-fg""",
    tries=(("full",), ("over",), ("unknown",), ("refuses",), ("away",), ("fine", "refuses")),
)  # fmt: skip
SERVERS = (CHASQUID, COURIER, DOVECOT, EXIM, OPENSMTPD, POSTFIX, SENDMAIL)
