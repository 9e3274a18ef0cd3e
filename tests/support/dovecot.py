"""The configuration of a Dovecot that only checks logins, in the words of the Dovecot that is here: 2.3 or 2.4.

Debian 12 has 2.3, Debian 13 has 2.4, which wants its version told first and has other words for most settings.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from textwrap import dedent, indent

DOVECOT = "/usr/sbin/dovecot"

_SERVICES = """
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
    group = postfix
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
_COMMON = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login{mechanisms}
auth_failure_delay = 0
"""
_2_3 = """
disable_plaintext_auth = no
{tokens}
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
"""
_2_3_TOKENS = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf.ext
}}
"""
_2_4 = """
auth_allow_cleartext = yes
{tokens}
passdb passwd-file {{
  passwd_file_path = {folder}/users
  default_password_scheme = PLAIN
  mechanisms_filter = plain login
}}
userdb static {{
  fields {{
    uid = nobody
    gid = nogroup
    home = /nonexistent
  }}
}}
"""
_2_4_TOKENS = """
oauth2 {{
{introspection}
}}
passdb oauth2 {{
  mechanisms_filter = xoauth2 oauthbearer
}}
"""
_INTROSPECTION = """
introspection_mode = post
introspection_url = {url}
username_attribute = username
active_attribute = active
active_value = true
"""


@cache
def version() -> tuple[int, int]:
    """Major and minor version of the Dovecot that is here."""
    said = subprocess.run([DOVECOT, "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    major, minor = said.split(".", 2)[:2]
    return int(major), int(minor)


def configuration(folder: Path, introspect_url: str | None, known: tuple[int, int] | None = None) -> dict[str, str]:
    """Files by name, `dovecot.conf` first. `known` is a version, else the one that is here.

    Logins are those of `folder`/users; with `introspect_url` (RFC 7662) tokens are checked, too.
    """
    newer = (known or version()) >= (2, 4)
    mechanisms = " xoauth2 oauthbearer" if introspect_url else ""
    introspection = _INTROSPECTION.format(url=introspect_url).strip()
    files: dict[str, str] = {}
    tokens = ""
    if introspect_url and newer:
        tokens = _2_4_TOKENS.format(introspection=indent(introspection, "  "))
    elif introspect_url:
        tokens = _2_3_TOKENS.format(folder=folder)
        files["oauth2.conf.ext"] = introspection + "\ntimeout_msecs = 4000\n"
    head = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" if newer else ""
    body = (_2_4 if newer else _2_3).format(folder=folder, tokens=tokens)
    whole = head + _COMMON.format(folder=folder, mechanisms=mechanisms) + body + _SERVICES.format(folder=folder)
    return {"dovecot.conf": dedent(whole), **files}
