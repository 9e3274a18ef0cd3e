"""Which certificate authorities the tests know of, whatever the machine names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support import authorities
from support.authorities import as_given, know_nobody


@pytest.mark.parametrize("named", ["", "/etc/of/this/machine.pem"])
def test_a_program_that_fetches_has_what_the_machine_names(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    for name in (authorities._VARIABLE, authorities._GIVEN):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    if named:
        monkeypatch.setenv("SSL_CERT_FILE", named)
    know_nobody()
    know_nobody()  # as a process does that another one began
    assert Path(os.environ["SSL_CERT_FILE"]).name == "nobody.pem"
    assert as_given().get("SSL_CERT_FILE", "") == named
    assert authorities._GIVEN not in as_given()


@pytest.mark.parametrize("trust_env", [True, False])
def test_a_client_and_a_process_know_one_authority(trust_env: bool) -> None:
    assert len(httpx.create_ssl_context(trust_env=trust_env).get_ca_certs()) == 1
    told = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
