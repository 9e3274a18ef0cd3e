#!/usr/bin/env bash
# Chromium (Debian's 156.0) by playwright 1.65.2 (PyPI): a page's style-src reaches into documents that are never shown.
#
# An editor reads what is pasted with DOMParser, whose document is inert: no script runs, nothing is loaded. One would expect
# that its style attributes can be read there, as without a policy. Under "style-src 'self'" they cannot: the attribute's
# text is kept, the element's style is empty, and each is reported as a violation. So an editor that tells bold text by
# font-weight (word processors and mail programs paste it so) loses it without an error on exactly those sites that have a
# strict policy, and nowhere in its own tests.
#
# Output seen:
#   no policy:          fontWeight 'bold', attribute 'font-weight: bold', reports 0
#   style-src 'self':   fontWeight '', attribute 'font-weight: bold', reports 1
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install --disable-pip-version-check playwright==1.65.2
CHROMIUM=${CHROMIUM:-/usr/bin/chromium} "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

POLICIES = {"no policy": "", "style-src 'self'": "style-src 'self'"}
READ = """() => {
  let reports = 0;
  document.addEventListener("securitypolicyviolation", () => { reports += 1; });
  const pasted = new DOMParser().parseFromString('<b style="font-weight: bold">x</b>', "text/html");
  const element = pasted.querySelector("b");
  const seen = [element.style.fontWeight, element.getAttribute("style")];
  return new Promise((done) => setTimeout(() => done([...seen, reports]), 500));
}"""


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<!doctype html><p>x"
        policy = list(POLICIES.values())[int(self.path[1:])] if self.path[1:].isdigit() else ""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = []
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    for number, name in enumerate(POLICIES):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/{number}")
        weight, attribute, reports = page.evaluate(READ)
        seen.append((weight, attribute, reports > 0))
        print(f"{name + ':':19} fontWeight {weight!r}, attribute {attribute!r}, reports {reports}")
        page.close()
    browser.close()
sys.exit(seen != [("bold", "font-weight: bold", False), ("", "font-weight: bold", True)])
PYTHON
