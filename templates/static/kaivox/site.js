// Copy buttons, tabs of code samples, the choice of colours, the server's status. All of it is an
// extra: without scripts every text of the page is there.
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
  box.append(pre, button);
}

// <div class="tabs"><section><h4>curl</h4>…</section>…</div> → tabs (WAI-ARIA pattern). A choice of
// language holds for all samples of the page and for the next visit.
const groups = [...document.querySelectorAll(".tabs")].map((group, number) => {
  const sections = [...group.querySelectorAll(":scope > section")];
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
  try { localStorage.setItem("language", name); } catch { /* holds for this page only */ }
}

if (groups.length) {
  let language = "curl";
  try { language = localStorage.getItem("language") || language; } catch { /* the first one */ }
  chooseLanguage(language);
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
    try { localStorage.setItem("theme", theme); } catch { /* holds for this page only */ }
    show(theme);
  });
}

const status = document.querySelector("[data-status]");
if (status) {
  fetch(status.dataset.status, { headers: { Accept: "application/json" } })
    .then((answer) => answer.json())
    .then(({ status: word, parts }) => {
      const away = Object.keys(parts).filter((name) => parts[name] !== "ok");
      status.className = word === "ok" ? "pill good" : "pill bad";
      status.textContent = word === "ok" ? "All parts of this server answer" : `Away: ${away.join(", ")}`;
    })
    .catch(() => { status.textContent = "The status cannot be read"; });
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => { select.form.requestSubmit(); });
}
