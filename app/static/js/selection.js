/* Select-all and the count of what is selected, for tables with a bulk form. */
function boxes(formId) {
  return [...document.querySelectorAll(`input[type="checkbox"][form="${CSS.escape(formId)}"]`)];
}

function count(form) {
  const all = boxes(form.id);
  const picked = all.filter((box) => box.checked).length;
  form.querySelector("output").textContent = picked ? `${picked} selected` : `Select ${form.dataset.selection}`;
  for (const button of form.querySelectorAll("button")) button.disabled = picked === 0;
  const head = document.querySelector(`[data-pick-all="${CSS.escape(form.id)}"]`);
  if (!head) return;
  head.checked = picked > 0 && picked === all.length;
  head.indeterminate = picked > 0 && picked < all.length;
}

document.addEventListener("change", (event) => {
  const formId = event.target.dataset.pickAll;
  if (formId) for (const box of boxes(formId)) box.checked = event.target.checked;
  const form = formId ? document.getElementById(formId) : event.target.form;
  if (form?.matches("[data-selection]")) count(form);
});

const recount = () => document.querySelectorAll("[data-selection]").forEach(count);
document.addEventListener("htmx:load", recount);
window.addEventListener("pageshow", recount);
recount();
