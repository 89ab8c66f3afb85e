"""A browser without a window: every answer it gets is checked before the test sees it.

`PageClient` is Flask's test client; `page.one("h1")` and friends look into the parsed page, and `submit()` fills
in a form as a person would, CSRF token included.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

CONTROLS = {"input", "select", "textarea", "button"}
VOID_OF_LABEL = {"hidden", "submit", "button", "reset", "image"}
INLINE_HANDLER = re.compile(r"on[a-z]+")

EVERY_RESPONSE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Page:
    """A parsed HTML document or fragment."""

    def __init__(self, html: str, url: str = "") -> None:
        self.html = html
        self.url = url
        self.is_fragment = not html.lstrip().lower().startswith("<!doctype")
        parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
        self.root: Element = parser.parseFragment(html) if self.is_fragment else parser.parse(html)
        self.faults = [f"line {place[0]}: {code} {details}" for place, code, details in parser.errors]
        self._parents = {child: parent for parent in self.root.iter() for child in parent}

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of this tag whose attributes equal those given (`class_="x"` asks for one of the classes)."""
        found = []
        for element in self.root.iter(tag):
            wanted_class = attributes.get("class_")
            if wanted_class and wanted_class not in element.get("class", "").split():
                continue
            if all(element.get(k.replace("_", "-")) == v for k, v in attributes.items() if k != "class_"):
                found.append(element)
        return found

    def one(self, tag: str, **attributes: str) -> Element:
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} <{tag}> with {attributes} on {self.url}"
        return found[0]

    @property
    def text(self) -> str:
        """All words of the page, in order, without scripts."""
        body = self.root.find("body") if not self.is_fragment else self.root
        return text_of(body) if body is not None else ""

    @property
    def heading(self) -> str:
        return text_of(self.one("h1"))

    def links(self) -> dict[str, str]:
        """Text of each link -> address."""
        return {text_of(a): a.get("href", "") for a in self.all("a") if a.get("href")}

    def parent(self, element: Element) -> Element | None:
        return self._parents.get(element)

    def ancestors(self, element: Element) -> list[Element]:
        found = []
        parent = self._parents.get(element)
        while parent is not None:
            found.append(parent)
            parent = self._parents.get(parent)
        return found

    def form(self, action: str) -> Element:
        """The POST form whose action is this path."""
        found = [f for f in self.all("form") if urlsplit(f.get("action", "")).path == action]
        posts = [f for f in found if f.get("method", "get").lower() == "post"]
        assert posts, (
            f"No POST form for {action} on {self.url}; there are {[f.get('action') for f in self.all('form')]}"
        )
        return posts[0]

    def fields(self, form: Element) -> dict[str, Any]:
        """What a browser would send when nothing is touched (without any submit button)."""
        values: dict[str, Any] = {}

        def add(name: str, value: str) -> None:
            values[name] = [*values[name], value] if name in values else [value]

        for control in form.iter():
            name = control.get("name")
            if not name or "disabled" in control.attrib:
                continue
            if control.tag == "textarea":
                add(name, (control.text or "").removeprefix("\n"))
            elif control.tag == "select":
                options = list(control.iter("option"))
                chosen = [o for o in options if "selected" in o.attrib]
                if not chosen and "multiple" not in control.attrib:
                    chosen = options[:1]
                for option in chosen:
                    add(name, option.get("value", text_of(option)))
            elif control.tag == "input":
                kind = control.get("type", "text")
                if kind in {"checkbox", "radio"}:
                    if "checked" in control.attrib:
                        add(name, control.get("value", "on"))
                elif kind not in {"submit", "button", "reset", "image", "file"}:
                    add(name, control.get("value", ""))
        return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def text_of(element: Element) -> str:
    """The element's words, white space made single."""
    words: list[str] = []

    def walk(node: Element) -> None:
        if not isinstance(node.tag, str) or node.tag in {"script", "style", "template"}:
            return
        words.append(node.text or "")
        for child in node:
            walk(child)
            words.append(child.tail or "")

    walk(element)
    return " ".join("".join(words).split())


class PageClient(FlaskClient):
    """Flask's client, which checks every answer; `client.page` is the last page it got."""

    page: Page

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # type: ignore[override]
        self.application.extensions.pop("unsaved", None)
        response = super().open(*args, **kwargs)
        response.get_data()
        response.close()  # a static file's handle, which nobody else would close
        check_headers(response)
        unsaved = self.application.extensions.pop("unsaved", None)
        where = f"{response.request.method} {response.request.path}"
        if response.status_code < 400:
            assert not unsaved, f"{where} left changes uncommitted ({unsaved}): put @commits on the view"
        if response.mimetype == "text/html" and response.data and not 300 <= response.status_code < 400:
            self.page = Page(response.text, url=response.request.path)
            check_page(self.page, response)
        return response

    def get_page(self, path: str, *, status: int = 200) -> Page:
        """GET that must answer with this status; follows no redirect."""
        response = self.get(path)
        assert response.status_code == status, f"GET {path}: {response.status_code} {response.headers.get('Location')}"
        return self.page

    def token(self) -> str:
        """A CSRF token of this client's session, without opening a page."""
        secret = "0f" * 20
        with self.session_transaction() as session:
            secret = session.setdefault("csrf_token", secret)
        keys = self.application.config["SECRET_KEY"]
        return str(URLSafeTimedSerializer(keys, salt="wtf-csrf-token").dumps(secret))

    def send(self, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        """POST with a valid token, as from a form that is not looked at."""
        return self.post(path, data={"csrf_token": self.token(), **(data or {})}, **kwargs)

    def submit(self, action: str, values: dict[str, Any] | None = None, *, page: str | None = None) -> TestResponse:
        """Fill in the form with this action on the current page (or on `page`) and send it."""
        if page is not None:
            self.get_page(page)
        form = self.page.form(action)
        fields = self.page.fields(form)
        known = {control.get("name") for control in form.iter() if control.get("name")}
        unknown = set(values or {}) - known
        assert not unknown, f"The form {action} has no {unknown}; it has {known}"
        target = urljoin(self.page.url, form.get("action", ""))
        return self.post(target, data={**fields, **(values or {})})

    def cookie_session(self) -> dict[str, Any]:
        """What the signed session cookie says, for tests of the cookie itself."""
        app = self.application
        cookie = self.get_cookie(app.config["SESSION_COOKIE_NAME"])
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert cookie is not None
        assert serializer is not None
        return dict(serializer.loads(cookie.value))


# --- what every answer must be -----------------------------------------------------------------------------


def check_headers(response: TestResponse) -> None:
    where = f"{response.request.method} {response.request.path}"
    for name, value in EVERY_RESPONSE.items():
        assert response.headers.get(name) == value, f"{where}: {name} is {response.headers.get(name)!r}"
    policy = response.headers.get("Content-Security-Policy", "")
    directives = {d.split()[0]: d.split()[1:] for d in policy.split(";") if d.strip()}
    assert directives.get("default-src") == ["'self'"] or directives.get("default-src") == ["'none'"], (
        f"{where}: {policy}"
    )
    for name in ("object-src", "base-uri", "frame-ancestors"):
        assert directives.get(name) == ["'none'"], f"{where}: {name} in {policy!r}"
    assert directives.get("form-action") == ["'self'"], f"{where}: {policy}"
    assert "unsafe" not in policy, f"{where}: {policy}"
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers.get("X-Request-ID", "")), f"{where}: X-Request-ID"
    assert "camera=()" in response.headers.get("Permissions-Policy", ""), f"{where}: Permissions-Policy"
    server = response.headers.get("Server", "")
    assert not re.search(r"\d", server), f"{where}: Server tells a version: {server}"
    if response.mimetype == "text/html" or response.mimetype == "application/json":
        assert "no-store" in response.headers.get("Cache-Control", ""), f"{where}: Cache-Control"
        assert "Cookie" in response.headers.get("Vary", ""), f"{where}: Vary"


def check_page(page: Page, response: TestResponse) -> None:
    where = f"{response.request.method} {response.request.path}"
    assert not page.faults, f"{where} is not well-formed HTML: {page.faults[:5]}"
    if not page.is_fragment:
        html = page.one("html")
        assert html.get("lang"), f"{where}: <html> has no lang"
        heading = page.heading
        title = text_of(page.one("title"))
        assert heading, f"{where}: the <h1> is empty"
        assert title.startswith(heading), f"{where}: the title {title!r} does not begin with the heading {heading!r}"
        assert len(page.all("main")) == 1, f"{where}: not one <main>"
    ids = [element.get("id") for element in page.root.iter() if element.get("id")]
    repeated = {name for name in ids if ids.count(name) > 1}
    assert not repeated, f"{where}: ids used twice: {repeated}"
    _check_references(page, set(filter(None, ids)), where)
    _check_controls(page, where)
    _check_forms(page, where)
    _check_scripts(page, response, where)


def _check_references(page: Page, ids: set[str], where: str) -> None:
    if page.is_fragment:
        return  # what it refers to may be on the page round it
    for element in page.root.iter():
        for attribute in ("for", "aria-labelledby", "aria-describedby", "aria-controls", "popovertarget"):
            for name in element.get(attribute, "").split():
                assert name in ids, f"{where}: {attribute}={name!r} points at nothing"


def _check_controls(page: Page, where: str) -> None:
    labels = {label.get("for") for label in page.all("label")}
    for control in page.root.iter():
        if control.tag not in CONTROLS or control.get("type", "") in VOID_OF_LABEL - {"button", "submit"}:
            continue
        name = control.get("aria-label") or control.get("aria-labelledby")
        if control.tag == "button":
            assert name or text_of(control), f"{where}: a <button> without words"
            continue
        if control.get("type") in VOID_OF_LABEL:
            assert name or control.get("value"), f"{where}: an <input type=submit> without words"
            continue
        wrapped = any(ancestor.tag == "label" for ancestor in page.ancestors(control))
        assert name or wrapped or (control.get("id") in labels and control.get("id")), (
            f"{where}: <{control.tag} name={control.get('name')!r}> has no label"
        )


def _check_forms(page: Page, where: str) -> None:
    for form in page.all("form"):
        action = form.get("action")
        assert action, f"{where}: a <form> without an action"
        assert not urlsplit(action).netloc, f"{where}: a <form> that posts to {action}"
        names = [control.get("name") for control in form.iter("input")]
        if form.get("method", "get").lower() == "post":
            assert names.count("csrf_token") == 1, f"{where}: the form {action} has {names.count('csrf_token')} tokens"
        else:
            assert "csrf_token" not in names, f"{where}: the GET form {action} would put its token into the address"


def _check_scripts(page: Page, response: TestResponse, where: str) -> None:
    policy = response.headers.get("Content-Security-Policy", "")
    nonce = re.search(r"'nonce-([^']+)'", policy)
    for script in page.all("script"):
        assert script.get("src") or script.get("type") in {"application/json", "importmap"}, (
            f"{where}: an inline <script>"
        )
        if not page.is_fragment:
            assert nonce, f"{where}: has a script and no nonce in its policy"
            assert script.get("nonce") == nonce[1], f"{where}: <script src={script.get('src')}> lacks the nonce"
    assert not page.all("style"), f"{where}: a <style> element"
    for element in page.root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "style" or INLINE_HANDLER.fullmatch(str(attribute)):
                raise AssertionError(f"{where}: <{element.tag} {attribute}={value!r}> is inline")
            if attribute in {"src", "href", "action"} and element.tag != "a":
                assert not urlsplit(value).netloc, f"{where}: <{element.tag}> loads from another host: {value}"
