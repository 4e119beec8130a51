// Runs in the head, before the first paint: the colours that this person chose (data-theme), and
// which of the two they come to now (data-colours), for what cannot use `light-dark()`.
// The admin keeps its choice under the same name, so one choice holds everywhere.
"use strict";
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const settle = () => {
    const dark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && system.matches);
    root.dataset.colours = dark ? "dark" : "light";
  };
  root.dataset.theme = "auto";
  try { root.dataset.theme = localStorage.getItem("theme") || "auto"; } catch { /* no storage: as the system says */ }
  settle();
  system.addEventListener("change", settle);
  new MutationObserver(settle).observe(root, { attributeFilter: ["data-theme"] });
}
