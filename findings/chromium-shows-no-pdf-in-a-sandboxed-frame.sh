#!/usr/bin/env bash
# Chromium (Debian's 156.0) by playwright 1.65.2 (PyPI): a PDF in a sandboxed frame shows nothing at all.
#
# A stranger's HTML is shown in <iframe sandbox>, so one would show their PDF in the same way. Its viewer does not start in
# any sandboxed frame, also where scripts and the same origin are allowed; the frame stays empty, and nothing is reported.
#
# Output seen:
#   sandbox="": viewer False
#   sandbox="allow-scripts allow-same-origin allow-popups allow-downloads": viewer False
#   no sandbox: viewer True
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

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
)
FRAMES = {
    'sandbox=""': ' sandbox=""',
    'sandbox="allow-scripts allow-same-origin allow-popups allow-downloads"':
        ' sandbox="allow-scripts allow-same-origin allow-popups allow-downloads"',
    "no sandbox": "",
}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/pdf":
            kind, body = "application/pdf", PDF
        else:
            how = list(FRAMES.values())[int(self.path[1:])] if self.path[1:].isdigit() else ""
            kind, body = "text/html", f"<!doctype html><iframe src=/pdf{how}></iframe>".encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = []
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    for number, name in enumerate(FRAMES):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/{number}")
        page.wait_for_timeout(4000)
        seen.append(any(frame.url.startswith("chrome-extension:") for frame in page.frames))
        print(f"{name}: viewer {seen[-1]}")
        page.close()
    browser.close()
sys.exit(seen != [False, False, True])
PYTHON
