/* Makes a confirmation modal. Without this module it opens as a popover, which needs no script. */
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-modal]");
  if (opener) {
    event.preventDefault();
    const dialog = document.getElementById(opener.dataset.modal);
    dialog.removeAttribute("popover");
    dialog.showModal();
    return;
  }
  const dialog = event.target.closest("dialog");
  // A click on the dialog itself, and not on its form, is a click on the backdrop or its own padding.
  if (event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});
