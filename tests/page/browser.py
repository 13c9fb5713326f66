"""A headless Chromium, driven by its own protocol over a pipe: one for all tests of the page."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 30.0


def executable() -> str | None:
    """Return where Chromium is; ``None`` where it is not installed."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Browser:
    """One tab; what it asked the network for, and what its console said, is kept."""

    def __init__(self, program: str, home: Path) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        options = (
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
            *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-sync"),
            *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--lang=en-US", "--hide-scrollbars"),
            f"--user-data-dir={home / 'profile'}",
        )
        # The protocol's two ends are descriptors 3 and 4, whatever ours are.
        script = f'exec 100<&{theirs_in} 101>&{theirs_out}; exec "$0" "$@" 3<&100 4>&101 100<&- 101>&-'
        self._process = subprocess.Popen(
            ["bash", "-c", script, program, *options, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HOME": str(home), "LANGUAGE": "en"},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out = ours_in, ours_out
        self._left = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.console: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        """Ask one thing and return the answer."""
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": values}
        if self._session is not None:
            asked["sessionId"] = self._session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        until = time.monotonic() + _LONGEST
        while time.monotonic() < until:
            told = self._next(until)
            if told.get("id") == self._number:
                assert "error" not in told, (method, told["error"])
                return dict(told["result"])
            self._heard(told)
        raise TimeoutError(method)

    def open(self, address: str) -> None:
        """Load a page anew, and wait until it is there."""
        # A mere change behind the # would load nothing; and what the last page still asks for is none of this one's.
        self.send("Page.navigate", url="about:blank")
        self.wait("document.readyState === 'complete' && location.href === 'about:blank'")
        self.requests.clear()
        self.console.clear()
        self.send("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        """Return what an expression comes to."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + _LONGEST
        while time.monotonic() < until:
            if self.run(script):
                return
            time.sleep(0.02)
        raise TimeoutError(script)

    def key(self, name: str) -> None:
        """Press a key."""
        text = {"Enter": "\r"}.get(name, "")
        codes = {"Enter": 13, "Tab": 9}
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.send(
                "Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name], **more
            )

    def media(self, *, scheme: str = "light", medium: str = "") -> None:
        """Let the page be shown as a user of that colour scheme has it, or a printer."""
        self.send(
            "Emulation.setEmulatedMedia", media=medium, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def picture(self, path: Path, width: int = 1280, height: int = 800) -> None:
        """Write what is seen as a PNG."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End it."""
        os.close(self._out)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._in)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            got = os.read(self._in, 1 << 20) if ready else b""
            if not got:
                raise TimeoutError("the browser is silent")
            self._left += got
        line, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(line))

    def _heard(self, told: dict[str, Any]) -> None:
        values = told.get("params", {})
        if told.get("method") == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif told.get("method") == "Runtime.consoleAPICalled":
            self.console.append(str(values["args"]))
        elif told.get("method") == "Runtime.exceptionThrown":
            self.console.append(str(values["exceptionDetails"]))
        elif told.get("method") == "Log.entryAdded":
            self.console.append(str(values["entry"]["text"]))
