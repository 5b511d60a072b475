# SPDX-License-Identifier: MIT
"""Pages opened in headless Chromium, through its DevTools protocol; nothing here but Python's own library.

A page is measured as it is drawn: what stands out of the window, what overlaps, and what the console says.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WAIT_S = 300

# What is cut off or outside: {text, why}. SVG is measured by what it draws, tables and cards by what they hold
MEASURE = """
(() => {
  const wrong = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) wrong.push(`page is ${document.documentElement.scrollWidth} wide`);
  const name = e => `${e.tagName} ${(e.textContent || '').trim().slice(0, 40)}`;
  const boxes = [];
  for (const e of document.querySelectorAll('h1,h2,h3,p,td,th,.card,svg,svg text')) {
    const r = e.getBoundingClientRect();
    if (!r.width || !r.height) continue;
    if (r.left < -0.5 || r.right > width + 0.5) wrong.push(`outside the page: ${name(e)}`);
    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && !e.closest('svg')) wrong.push(`cut off: ${name(e)}`);
    const svg = e.closest('svg');
    if (svg && e !== svg) {
      const s = svg.getBoundingClientRect();
      if (r.left < s.left - 1 || r.right > s.right + 1 || r.top < s.top - 1 || r.bottom > s.bottom + 1)
        wrong.push(`outside its figure: ${name(e)}`);
    }
    if (!e.querySelector('h1,h2,h3,p,td,th,svg,svg text')) boxes.push([r, e]);
  }
  const glyphs = document.querySelectorAll('svg.figure g[id*="text_"]');
  for (const e of glyphs) boxes.push([e.getBoundingClientRect(), e]);
  boxes.sort((one, other) => one[0].top - other[0].top);
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const [a, e] = boxes[i], [b, f] = boxes[j];
    if (b.top > a.bottom) break;
    if (e.contains(f) || f.contains(e)) continue;
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (x > 1.5 && y > 2.5) wrong.push(`overlap of ${name(e)} (${e.id}) and ${name(f)} (${f.id})`);
  }
  return wrong.slice(0, 20);
})()
"""


def executable() -> str | None:
    """Chromium, where it is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One headless browser; `look` opens a page in it."""

    def __init__(self, folder: Path) -> None:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
        options += ["--disable-extensions", "--disable-background-networking", "--hide-scrollbars"]
        command = [executable() or "", *options, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._port = self._wait_for_port(folder / "DevToolsActivePort")

    def _wait_for_port(self, file: Path) -> int:
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if file.exists() and (lines := file.read_text().split()):
                return int(lines[0])
            time.sleep(0.05)
        raise OSError("Chromium did not start")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(_WAIT_S)

    def look(self, page: Path, width: int, *, dark: bool = False, picture: Path | None = None) -> list[str]:
        """Open a page in a window of a width; returns what is wrong with it, and what the console said."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/json/list", timeout=_WAIT_S) as answer:
            target = next(each for each in json.load(answer) if each["type"] == "page")
        tab = _Tab(target["webSocketDebuggerUrl"])
        try:
            return tab.look(page.resolve().as_uri(), width, dark, picture)
        finally:
            tab.close()


class _Tab:
    """A web socket to one tab (RFC 6455: masked text frames), and the messages that came by it."""

    def __init__(self, url: str) -> None:
        host, _, path = url.removeprefix("ws://").partition("/")
        name, _, port = host.partition(":")
        self._socket, self._number = socket.create_connection((name, int(port)), timeout=_WAIT_S), 0
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._socket.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        self._said: list[str] = []
        self._events: set[str] = set()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def look(self, url: str, width: int, dark: bool, picture: Path | None) -> list[str]:
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._said.clear()
        self._events.clear()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            self._receive()
        found = self.call("Runtime.evaluate", expression=MEASURE, returnByValue=True)
        wrong: list[str] = found["result"].get("value", [f"not measured: {found}"])
        if picture is not None:
            shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
            picture.write_bytes(base64.b64decode(shot["data"]))
        return [*wrong, *(text for text in self._said if text != f"request: {url}")]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._send(json.dumps({"id": self._number, "method": method, "params": params}).encode())
        while (answer := self._receive()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._read_message())
        method = message.get("method", "")
        self._events.add(method)
        if method in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self._said.append(f"console: {json.dumps(message['params'])[:1500]}")
        if method == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith("data:"):
                self._said.append(f"request: {url}")
        return message

    def _send(self, payload: bytes) -> None:
        size = struct.pack("!BB", 0x81, 0x80 | len(payload)) if len(payload) < 126 else (
            struct.pack("!BBH", 0x81, 0xFE, len(payload)) if len(payload) < 1 << 16
            else struct.pack("!BBQ", 0x81, 0xFF, len(payload))
        )  # fmt: skip
        mask = os.urandom(4)
        self._socket.sendall(size + mask + bytes(byte ^ mask[k % 4] for k, byte in enumerate(payload)))

    def _read_message(self) -> bytes:
        parts, is_last = b"", False
        while not is_last:
            first, second = self._file.read(2)
            is_last, size = bool(first & 0x80), second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._file.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._file.read(8))
            payload = self._file.read(size)
            if first & 0x0F in (0, 1, 2):
                parts += payload
            else:
                is_last = False  # a ping: there are more
        return parts


if __name__ == "__main__":  # python chromium.py PAGE WIDTH PICTURE [dark]
    import sys
    import tempfile

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        browser = Browser(Path(place))
        page, width, picture = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
        print("\n".join(browser.look(page, width, dark="dark" in sys.argv, picture=picture)))
        browser.close()
