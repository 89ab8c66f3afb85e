/* A download leaves the page as it is. So that its progress shows, the list of exports is asked for once it has begun. */
for (const form of document.querySelectorAll("[data-module~=export]")) {
  form.addEventListener("submit", () => {
    setTimeout(() => {
      window.htmx?.ajax("GET", `${form.action}/latest`, { target: "#latest-exports", swap: "outerHTML" });
    }, 700);
  });
}
