// Before the first paint, and a file of its own because the page's policy allows no inline script.
(() => {
  const root = document.documentElement.dataset;
  try {
    const theme = localStorage.getItem("berth.theme");
    const density = localStorage.getItem("berth.density");
    if (theme === "light" || theme === "dark") root.theme = theme;
    if (density === "compact") root.density = density;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
