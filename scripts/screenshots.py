"""Takes the pictures of README and the docs: `python scripts/screenshots.py [URL]`.

With an address it uses the demo that runs there (DEMO_PASSWORD must be its password); without, it starts one of its
own and stops it again. Pictures go to docs/screenshots/, each below 150 kB.
"""

import base64
import json
import os
import re
import secrets
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
import zlib
from collections import Counter
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "screenshots"
CHROMIUM = os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium")
MAX_BYTES = 150_000
WIDE, PHONE = (1440, 900), (390, 844)
SLOW_REGIONS = ("eu-west-1", "us-west-2")

#: File name, address ("account" stands for the page of the first active account, "progress" for the same while it is
#: read), size, color scheme.
PICTURES = (
    ("overview", "/", WIDE, "light"),
    ("instances", "/instances", WIDE, "light"),
    ("instances-dark", "/instances", WIDE, "dark"),
    ("account", "account", WIDE, "light"),
    ("progress", "progress", (1440, 560), "light"),
    ("connect", "/accounts/new", WIDE, "light"),
    ("phone", "/instances", PHONE, "light"),
)

#: From a PNG's data URL to its pixels, four bytes each, as base64.
DECODE = """async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const reader = new FileReader();
  return new Promise((resolve) => {
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.readAsDataURL(new Blob([data]));
  });
}"""


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
        blank = browser.new_page()
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
            open_page(page, address)
            path = FOLDER / f"{name}.png"
            page.screenshot(path=path)
            if address == "progress":
                simulate("DELETE", "faults")
                page.get_by_role("button", name="Cancel").click()
            context.close()
            shrink(blank, path)
            size = path.stat().st_size
            print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB")
            if size > MAX_BYTES:
                too_big.append(path.name)
        browser.close()
    if too_big:
        print(f"Above {MAX_BYTES / 1000:.0f} kB: {', '.join(too_big)}", file=sys.stderr)
    return 1 if too_big else 0


def open_page(page: Page, address: str) -> None:
    """Go there; to see a discovery under way, two regions are made slow, and it is asked for."""
    if address not in {"account", "progress"}:
        page.goto(address)
    else:
        page.goto("/accounts?status=active")
        page.locator("tbody th a").first.click()
    page.wait_for_load_state("networkidle")
    if address == "progress":
        account_id = page.locator(".lead .mono").inner_text()
        for region in SLOW_REGIONS:
            simulate("POST", "faults", kind="hang", account_id=account_id, region=region, seconds=20)
        page.get_by_role("button", name="Discover now").click()
        page.locator(".run .figures").wait_for()
        page.get_by_text("3 of 5 regions", exact=True).wait_for()
        page.evaluate("document.querySelector('.messages').replaceChildren()")


def simulate(method: str, name: str, **options: object) -> None:
    """Tell the simulated AWS of the demo that runs on the data at hand what to do; its log says where it is."""
    log = Path(os.environ.get("DEMO_DATA") or ROOT / "instance") / "demo" / "logs" / "simulated-aws.log"
    found = re.findall(r"Simulated AWS: (http://\S+)", log.read_text())
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{found[-1]}/_simulation/{name}", json.dumps(options).encode(), method=method
    )
    urllib.request.urlopen(request).close()  # noqa: S310


def sign_in(browser: Browser, url: str, password: str) -> list[dict[str, object]]:
    """Sign in as client1, as a person would; the cookies of the session."""
    page = browser.new_page(base_url=url)
    page.goto("/sign-in")
    page.get_by_label("Username").fill("client1")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview", level=1).wait_for()
    cookies = page.context.cookies()
    page.context.close()
    return [dict(cookie) for cookie in cookies]


def shrink(blank: Page, path: Path) -> None:
    """Write the picture again with a palette of 256 colors: it is of flat areas, and a third of the size."""
    data = base64.b64encode(path.read_bytes()).decode()
    # The browser has a decoder of its own; no library is needed for this.
    pixels = base64.b64decode(blank.evaluate(DECODE, f"data:image/png;base64,{data}"))
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    colors = [pixels[at : at + 3] for at in range(0, len(pixels), 4)]
    palette = choose_palette(Counter(colors))
    index = {color: palette.index(nearest(color, palette)) for color in set(colors)}
    lines = bytearray()
    for row in range(height):
        lines.append(0)
        lines += bytes(index[color] for color in colors[row * width : (row + 1) * width])
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in parts))


def choose_palette(counts: "Counter[bytes]") -> list[bytes]:
    """The most frequent colors, and those least like them: a rare red word must stay red."""
    palette = [color for color, _ in counts.most_common(160)]
    away = {color: distance(color, nearest(color, palette)) for color in counts}
    while len(palette) < 256 and any(away.values()):
        farthest = max(away, key=lambda color: away[color])
        palette.append(farthest)
        away = {color: min(known, distance(color, farthest)) for color, known in away.items()}
    return palette


def nearest(color: bytes, palette: list[bytes]) -> bytes:
    return min(palette, key=lambda other: distance(color, other))


def distance(one: bytes, other: bytes) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    sys.exit(main())
