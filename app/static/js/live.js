/* Holds a [data-live] part back while nobody can see it or somebody is typing in it, and slows down when the server
   does not answer. The polling itself is htmx's; filters inside hx-trigger would need eval, which is forbidden. */
const waits = new Map(); // element id -> { failures, until }

function isBusy(part) {
  const active = document.activeElement;
  return part.contains(active) && active.matches("input, select, textarea") || part.querySelector("dialog[open], :popover-open");
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

/* Who walks a page by keyboard keeps their place: the element that takes the place of the focused one is focused. */
const FOCUSABLE = "a[href], button, summary, [tabindex]";
let focused = null; // { id, href, index }

document.addEventListener("htmx:beforeSwap", ({ detail: { target: part } }) => {
  const active = document.activeElement;
  focused = part.matches("[data-live]") && part.contains(active)
    ? { id: part.id, href: active.getAttribute("href"), index: [...part.querySelectorAll(FOCUSABLE)].indexOf(active) } : null;
});

document.addEventListener("htmx:afterSwap", () => {
  if (!focused) return;
  const all = [...(document.getElementById(focused.id)?.querySelectorAll(FOCUSABLE) ?? [])];
  const found = focused.href ? all.find((each) => each.getAttribute("href") === focused.href) : all[focused.index];
  found?.focus({ preventScroll: true });
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden || !window.htmx) return;
  for (const part of document.querySelectorAll("[data-live]")) window.htmx.trigger(part, "refresh");
});
