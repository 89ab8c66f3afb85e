/* The list by keys: a row is where the focus is, on its own link, so that a screen reader says which. Single keys do
   something only where the table has data-keys, and never while somebody types. Also a copy button for each id. */
const table = document.querySelector("table.instances");
const rows = () => [...table.tBodies[0].rows].filter((row) => row.querySelector("a"));
const linkOf = (row) => row.querySelector("th a, .c-id a");
const idOf = (row) => row.querySelector(".c-id")?.textContent.trim();
const say = (words) => { document.getElementById("announcer").textContent = words; };

function current() {
  return document.activeElement?.closest?.("table.instances tbody tr") ?? null;
}

function move(step) {
  const all = rows();
  const at = all.indexOf(current());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  if (!next) return;
  linkOf(next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

async function copy(row) {
  const id = row && idOf(row);
  if (!id || !navigator.clipboard) return;
  await navigator.clipboard.writeText(id);
  say(`Copied ${id}`);
  row.querySelector(".c-id").classList.add("copied");
  setTimeout(() => row.querySelector(".c-id").classList.remove("copied"), 1200);
}

function toggle(row) {
  const box = row?.querySelector(".pick input");
  if (!box) return;
  box.click();
  say(box.checked ? "Selected" : "No longer selected");
}

const KEYS = {
  "/": () => { const box = document.getElementById("q"); box.focus(); box.select(); },
  "?": () => document.getElementById("help").togglePopover(),
  j: () => move(1),
  k: () => move(-1),
  o: () => { const row = current(); if (row) linkOf(row).click(); },
  x: () => toggle(current()),
  c: () => copy(current()),
  n: () => document.querySelector("a[rel=next]")?.click(),
  p: () => document.querySelector("a[rel=prev]")?.click(),
};

document.addEventListener("keydown", (event) => {
  if (!table?.hasAttribute("data-keys") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], [popover]:not(#help)")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

if (table && navigator.clipboard) {
  for (const row of rows()) {
    const cell = row.querySelector(".c-id");
    if (!cell) continue;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "copy", ariaLabel: `Copy ${idOf(row)}` });
    button.addEventListener("click", () => copy(row));
    cell.append(button);
  }
}
