// Copy buttons, tabs of code samples, colour theme, server status. All pages are complete without
// scripts.
"use strict";

for (const pre of document.querySelectorAll("pre")) {
  pre.tabIndex = 0; // a keyboard can scroll it
  if (pre.classList.contains("bare")) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pre.textContent.trimEnd());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  const box = document.createElement("div");
  box.className = "code";
  pre.replaceWith(box);
  box.append(button, pre);
}

// <div class="tabs"><div><h4>curl</h4>…</div>…</div> → tabs (WAI-ARIA pattern). A choice of
// language holds for all samples of the page and for the next visit.
const groups = [...document.querySelectorAll(".tabs")].map((group, number) => {
  const sections = [...group.querySelectorAll(":scope > div")];
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Language");
  const tabs = sections.map((section, index) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.textContent = section.querySelector("h4").textContent;
    tab.setAttribute("role", "tab");
    tab.id = `tab-${number}-${index}`;
    section.id ||= `panel-${number}-${index}`;
    section.setAttribute("role", "tabpanel");
    section.setAttribute("aria-labelledby", tab.id);
    tab.setAttribute("aria-controls", section.id);
    tab.addEventListener("click", () => { chooseLanguage(tab.textContent); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      chooseLanguage(next.textContent);
      next.focus();
    });
    list.append(tab);
    return tab;
  });
  group.prepend(list);
  group.classList.add("live");
  return { tabs, sections };
});

function chooseLanguage(name) {
  for (const { tabs, sections } of groups) {
    const chosen = Math.max(0, tabs.findIndex((tab) => tab.textContent === name));
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
      sections[index].hidden = index !== chosen;
    });
  }
  try { localStorage.setItem("language", name); } catch { /* then it applies to this page only */ }
}

if (groups.length) {
  let language = "curl";
  try { language = localStorage.getItem("language") || language; } catch { /* the first one */ }
  chooseLanguage(language);
}

// The contents of a page are beside it where there is space, else folded.
for (const contents of document.querySelectorAll("details.toc")) {
  const wide = matchMedia("(min-width: 82rem)");
  const adapt = () => { contents.open = wide.matches; };
  adapt();
  wide.addEventListener("change", adapt);
}

// A link to something inside a closed <details> opens it.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target?.closest("details");
  if (details && !details.open) {
    details.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", openTarget);
openTarget();

for (const button of document.querySelectorAll("button.theme")) {
  const order = ["auto", "light", "dark"];
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[theme];
    button.setAttribute("aria-label", `Colours: ${theme}. Change`);
  };
  show(document.documentElement.dataset.theme || "auto");
  button.hidden = false;
  button.addEventListener("click", () => {
    const theme = order[(order.indexOf(document.documentElement.dataset.theme) + 1) % order.length];
    try { localStorage.setItem("theme", theme); } catch { /* then it applies to this page only */ }
    show(theme);
  });
}

const status = document.querySelector("[data-status]");
if (status) {
  fetch(status.dataset.status, { headers: { Accept: "application/json" } })
    .then((response) => response.json())
    .then(({ status: word, parts }) => {
      const unavailable = Object.keys(parts).filter((name) => parts[name] !== "ok");
      status.className = word === "ok" ? "pill good" : "pill bad";
      status.textContent = word === "ok" ? "All systems operational" : `Unavailable: ${unavailable.join(", ")}`;
    })
    .catch(() => { status.textContent = "Status unavailable"; });
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => { select.form.requestSubmit(); });
}

// All events excludes single event types, and the other way round; the server rejects both together.
const eventTypes = [...document.querySelectorAll("input[type=checkbox][name=event_types]")];
for (const box of eventTypes) {
  box.addEventListener("change", () => {
    for (const other of box.checked ? eventTypes : []) {
      if (other !== box && (box.value === "*" || other.value === "*")) other.checked = false;
    }
  });
}

// "All events" excludes single event types, and the other way round.
for (const all of document.querySelectorAll('input[name="event_types"][value="*"]')) {
  const others = [...all.form.querySelectorAll('input[name="event_types"]')].filter((box) => box !== all);
  all.addEventListener("change", () => { if (all.checked) for (const box of others) box.checked = false; });
  for (const box of others) {
    box.addEventListener("change", () => { if (box.checked) all.checked = false; });
  }
}
