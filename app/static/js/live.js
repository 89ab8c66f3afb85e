/* Holds a [data-live] part back while nobody can see it or somebody types or selects in it, and slows down when the server
   does not answer. The polling itself is htmx's; filters inside hx-trigger would need eval, which is forbidden. */
const waits = new Map(); // element id -> { failures, until }

function isBusy(part) {
  const active = document.activeElement;
  const selection = document.getSelection();
  return part.contains(active) && active.matches("input, select, textarea")
    || selection && !selection.isCollapsed && part.contains(selection.anchorNode)
    || part.querySelector("dialog[open], :popover-open, button:active");
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (!part.matches("[data-live]")) return;
  const wait = waits.get(part.id);
  if (document.hidden || isBusy(part) || (wait && Date.now() < wait.until)) event.preventDefault();
});

document.addEventListener("htmx:afterRequest", (event) => {
  const part = event.target;
  if (!part.matches("[data-live]")) return;
  const { successful, xhr } = event.detail;
  if (successful) {
    waits.delete(part.id);
  } else {
    const failures = (waits.get(part.id)?.failures ?? 0) + 1;
    // Refused means signed out or gone: asking again cannot help.
    const isRefused = [401, 403, 404].includes(xhr?.status);
    waits.set(part.id, { failures, until: isRefused ? Infinity : Date.now() + Math.min(60, 2 ** failures) * 1000 });
    document.getElementById("announcer").textContent = isRefused
      ? "This page no longer updates itself. Reload it." : "The last update did not arrive; trying again.";
  }
});

/* What the reader had before the exchange is there after it: the focus, what was typed and what was unfolded. New words that the part
   announces are put where a screen reader hears them; a part that is exchanged every two seconds cannot say it itself. */
const FOCUSABLE = "a[href], button, summary, [tabindex]";
const typed = (part) => [...part.querySelectorAll("input:not([type=hidden]), textarea")].filter((each) => each.name);
const folds = (part) => [...part.querySelectorAll("details")];
const nameOf = (details) => details.id || details.querySelector("summary")?.textContent.trim();
let left = null; // { id, hasFocus, href, index, folds, values, words }

document.addEventListener("htmx:beforeSwap", (event) => {
  const part = event.detail.target;
  left = null;
  if (!part.matches("[data-live]")) return;
  // Somebody began while the answer was on its way: the next one will do.
  if (isBusy(part)) { event.detail.shouldSwap = false; return; }
  const active = document.activeElement;
  left = {
    id: part.id,
    hasFocus: part.contains(active),
    href: active.getAttribute("href"),
    index: [...part.querySelectorAll(FOCUSABLE)].indexOf(active),
    folds: new Map(folds(part).map((each) => [nameOf(each), each.open])),
    values: new Map(typed(part).filter((each) => each.value !== each.defaultValue).map((each) => [each.name, each.value])),
    words: part.dataset.announce ?? "",
  };
});

document.addEventListener("htmx:afterSwap", () => {
  const part = left && document.getElementById(left.id);
  if (!part) return;
  for (const each of folds(part)) each.open = left.folds.get(nameOf(each)) ?? each.open;
  for (const each of typed(part)) each.value = left.values.get(each.name) ?? each.value;
  const words = part.dataset.announce ?? "";
  if (words !== left.words) document.getElementById("announcer").textContent = words;
  if (!left.hasFocus) return;
  const all = [...part.querySelectorAll(FOCUSABLE)];
  const found = left.href ? all.find((each) => each.getAttribute("href") === left.href) : all[left.index];
  found?.focus({ preventScroll: true });
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !window.htmx) return;
  for (const part of document.querySelectorAll("[data-live]")) window.htmx.trigger(part, "refresh");
});
