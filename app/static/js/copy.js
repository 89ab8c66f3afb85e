/* Shows the copy buttons and makes them work; without this module they stay hidden. */
function show(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy], [data-copy-text]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (!button) return;
  const text = button.dataset.copyText ?? document.getElementById(button.dataset.copy).textContent;
  await navigator.clipboard.writeText(text);
  const use = button.querySelector("use");
  const word = button.querySelector("span");
  const before = use.getAttribute("href");
  if (before.endsWith("#check")) return;
  use.setAttribute("href", before.replace("#copy", "#check"));
  if (word) word.textContent = "Copied";
  document.getElementById("announcer").textContent = "Copied";
  setTimeout(() => {
    use.setAttribute("href", before);
    if (word) word.textContent = "Copy";
    document.getElementById("announcer").textContent = "";
  }, 1600);
});

document.addEventListener("htmx:load", (event) => show(event.detail.elt));
show(document);
