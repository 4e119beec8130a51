// Runs in the head, before the first paint: the colours that this person chose.
// The admin keeps its choice under the same name, so one choice holds everywhere.
"use strict";
{
  let theme = "auto";
  try { theme = localStorage.getItem("theme") || "auto"; } catch { /* no storage: as the system says */ }
  document.documentElement.dataset.theme = theme;
}
