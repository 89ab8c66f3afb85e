"""Takes the pictures of README and the docs: `python scripts/screenshots.py [URL]`.

With an address it uses the demo that runs there (DEMO_PASSWORD must be its password); without, it starts one of its
own and stops it again. Pictures go to docs/screenshots/, each below 150 kB.
"""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "screenshots"
CHROMIUM = os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium")
MAX_BYTES = 150_000
WIDE, PHONE = (1440, 900), (390, 844)

#: File name, address ("account" stands for the page of the first active account), size, color scheme.
PICTURES = (
    ("dashboard", "/", WIDE, "light"),
    ("instances", "/instances", WIDE, "light"),
    ("instances-dark", "/instances", WIDE, "dark"),
    ("account", "account", WIDE, "light"),
    ("connect", "/accounts/new", WIDE, "light"),
    ("phone", "/instances", PHONE, "light"),
)


def main() -> int:
    if len(sys.argv) > 1:
        password = os.environ.get("DEMO_PASSWORD")
        if not password:
            print("Set DEMO_PASSWORD to the password of the demo that runs there.", file=sys.stderr)
            return 2
        return take_all(sys.argv[1].rstrip("/"), password)
    password = os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(12)
    port = os.environ.get("DEMO_PORT") or str(free_port())
    demo = subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=os.environ | {"DEMO_PORT": port, "DEMO_PASSWORD": password},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = wait_until_ready(demo)
        return take_all(url, password) if url else 1
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(timeout=60)


def wait_until_ready(demo: "subprocess.Popen[str]") -> str | None:
    """The demo's address once it says so; None when it ends before."""
    assert demo.stdout is not None
    for line in demo.stdout:
        print(f"  {line}", end="")
        if found := re.match(r"Ready: (\S+)", line):
            return found[1]
    return None


def take_all(url: str, password: str) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    too_big = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        cookies = sign_in(browser, url, password)
        for name, address, (width, height), scheme in PICTURES:
            context = browser.new_context(
                base_url=url,
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                device_scale_factor=1,
                reduced_motion="reduce",
                timezone_id="UTC",
            )
            context.add_cookies(cookies)
            page = context.new_page()
            page.goto("/accounts?status=active" if address == "account" else address)
            if address == "account":
                page.locator("tbody th a").first.click()
            page.wait_for_load_state("networkidle")
            path = FOLDER / f"{name}.png"
            page.screenshot(path=path)
            context.close()
            shrink(path)
            size = path.stat().st_size
            print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB")
            if size > MAX_BYTES:
                too_big.append(path.name)
        browser.close()
    if too_big:
        print(f"Above {MAX_BYTES / 1000:.0f} kB: {', '.join(too_big)}", file=sys.stderr)
    return 1 if too_big else 0


def sign_in(browser: Browser, url: str, password: str) -> list[dict[str, object]]:
    """Sign in as client1, as a person would; the cookies of the session."""
    page = browser.new_page(base_url=url)
    page.goto("/sign-in")
    page.get_by_label("Username").fill("client1")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Dashboard").wait_for()
    cookies = page.context.cookies()
    page.context.close()
    return [dict(cookie) for cookie in cookies]


def shrink(path: Path) -> None:
    """Fewer colors, where Pillow is there to do it: the pictures are of flat areas."""
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(path) as image:
        image.convert("RGB").quantize(colors=255).save(path, optimize=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    sys.exit(main())
