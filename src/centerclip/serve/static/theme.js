// Dark or light: the system's choice unless the visitor makes one. Not a module, so that it runs before anything is
// painted.
{
  const root = document.documentElement;
  try {
    const stored = localStorage.getItem("theme");
    if (stored) root.dataset.theme = stored;
  } catch {
    // storage may be forbidden; then the system decides
  }
  addEventListener("click", (event) => {
    if (!event.target.closest("#theme")) return;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // then it lasts until the page is closed
    }
  });
}
