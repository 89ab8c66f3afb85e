/* Opens the page behind a [data-sheet] link in place, under the link (on a phone at the bottom). Without this module the
   link leads to the page itself. Also goes on with a form[data-continue], and narrows long lists of values. */
const sheet = document.getElementById("sheet");
let opener = null;

function place() {
  const button = opener.getBoundingClientRect();
  const width = sheet.offsetWidth;
  sheet.style.left = `${Math.max(8, Math.min(button.left, document.documentElement.clientWidth - width - 8))}px`;
  sheet.style.top = `${Math.max(8, Math.min(button.bottom + 4, window.innerHeight - sheet.offsetHeight - 8))}px`;
}

async function open(link) {
  let answer;
  try {
    answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
    if (!answer.ok || answer.headers.has("HX-Redirect")) throw new Error(answer.status);
  } catch {
    location.assign(link.href);
    return;
  }
  opener = link;
  sheet.innerHTML = await answer.text();
  sheet.setAttribute("aria-label", sheet.querySelector("h2")?.textContent.trim() ?? "");
  sheet.showPopover();
  place();
  for (const field of sheet.querySelectorAll("[data-narrow]")) field.hidden = false;
  sheet.querySelector("input:not([type=hidden]), select, a, button")?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sheet]");
  if (!link || !sheet || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (opener === link && sheet.matches(":popover-open")) sheet.hidePopover();
  else open(link);
});

sheet?.addEventListener("toggle", (event) => {
  if (event.newState === "closed" && (sheet.contains(document.activeElement) || document.activeElement === document.body)) opener?.focus();
});
/* The page behind does not move the sheet's button away while it is open. */
window.addEventListener("resize", () => { if (sheet?.matches(":popover-open")) place(); });

/* A value is wanted or left out, not both. */
document.addEventListener("change", (event) => {
  const box = event.target;
  const item = box.closest(".choices li");
  if (!item || !box.checked) return;
  for (const other of item.querySelectorAll("input[type=checkbox]")) if (other !== box) other.checked = false;
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-narrow]")) return;
  const wanted = event.target.value.trim().toLowerCase();
  for (const item of event.target.closest("fieldset").querySelectorAll("li")) {
    item.hidden = !item.textContent.toLowerCase().includes(wanted);
  }
});

const unfinished = document.querySelector("form[data-continue]");
if (unfinished) setTimeout(() => unfinished.requestSubmit(unfinished.querySelector("button[type=submit]")), 400);
