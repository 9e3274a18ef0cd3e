#!/usr/bin/env bash
# Chromium (Debian's, 2026-11): a page that wants to show a stranger's PDF in a frame, without its script, has no way to say so.
#
# One would expect a sandboxed frame (no script) to show the pages, or a policy of the PDF's own response without script-src to
# keep its script from running. In a sandboxed frame, whatever it allows, the viewer does not start; in another one it does, and
# runs the document's OpenAction under "default-src 'none'": an alert box over the page that shows it, without a click.
#
# Output seen:
#   sandboxed: viewer False, dialogs []
#   sandboxed with scripts: viewer False, dialogs []
#   policy without script: viewer True, dialogs ['from the PDF']
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chromium=${CHROMIUM:-/usr/bin/chromium}
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install playwright
CHROMIUM=$chromium "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\('from the PDF'\\))>>>>endobj "
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj 3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF"
)
FRAMES = {"sandboxed": " sandbox", "sandboxed with scripts": " sandbox='allow-scripts'", "policy without script": ""}


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        kind, body = "application/pdf", PDF
        if self.path != "/pdf":
            how = FRAMES.get(self.path[1:].replace("-", " "), "")
            kind, body = "text/html", f"<!doctype html><iframe src=/pdf{how}></iframe>".encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if kind == "application/pdf":
            self.send_header("Content-Security-Policy", "default-src 'none'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = []
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    for name in FRAMES:
        page, dialogs = browser.new_page(), []
        page.on("dialog", lambda box, dialogs=dialogs: (dialogs.append(box.message), box.dismiss()))
        page.goto(f"http://127.0.0.1:{server.server_port}/{name.replace(' ', '-')}")
        page.wait_for_timeout(4000)
        viewer = any(frame.url.startswith("chrome-extension:") for frame in page.frames)
        print(f"{name}: viewer {viewer}, dialogs {dialogs}")
        seen.append((viewer, bool(dialogs)))
        page.close()
    browser.close()
sys.exit(seen != [(False, False), (False, False), (True, True)])
PYTHON
