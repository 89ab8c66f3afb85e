/* Changes the theme at once and tells the server, which keeps it in a cookie and renders the next page with it. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!form.matches("[data-theme-form]") || !button) return;
  event.preventDefault();
  const body = new FormData(form, button);
  try {
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (!answer.ok && answer.type !== "opaqueredirect") throw new Error(answer.status);
  } catch {
    location.reload();
    return;
  }
  document.documentElement.dataset.theme = button.value;
  document.querySelector('meta[name="color-scheme"]').content = button.value === "auto" ? "light dark" : button.value;
  for (const each of form.querySelectorAll("[aria-pressed]")) each.setAttribute("aria-pressed", String(each === button));
});
