// Search over docs and reference. "/" or the button opens it; the index is loaded at the first use.
"use strict";

const opener = document.querySelector("button.search");
const dialog = document.createElement("dialog");
dialog.className = "search-box";
dialog.setAttribute("aria-label", "Search");
dialog.innerHTML = `<form method="dialog"><label class="visually-hidden" for="search">Search docs and endpoints</label>
  <input id="search" type="search" placeholder="Search docs and endpoints" autocomplete="off" spellcheck="false">
  <button class="button plain tiny">Close</button></form><p role="status" class="muted small"></p><ul></ul>`;
document.body.append(dialog);
const input = dialog.querySelector("input");
const results = dialog.querySelector("ul");
const state = dialog.querySelector("[role=status]");
let index = null;

async function openSearch() {
  if (dialog.open) return;
  dialog.showModal();
  input.select();
  try {
    index ??= await (await fetch(opener.dataset.search)).json();
    search();
  } catch {
    state.textContent = "The search index cannot be loaded. Try again in a moment.";
  }
}

opener.hidden = false;
opener.addEventListener("click", openSearch);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  event.preventDefault();
  openSearch();
});
input.addEventListener("input", search);
dialog.querySelector("form").addEventListener("submit", (event) => {
  if (event.submitter) return; // the button: closes the dialog
  event.preventDefault();
});
dialog.addEventListener("keydown", (event) => {
  const links = [...results.querySelectorAll("a")];
  if (event.key === "Enter" && event.target === input) {
    event.preventDefault();
    links[0]?.click();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !links.length) return;
  event.preventDefault();
  const next = links.indexOf(document.activeElement) + step;
  (next < 0 ? input : links[Math.min(next, links.length - 1)]).focus();
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("a")) dialog.close();
});

function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  results.replaceChildren();
  if (!index || !words.length) {
    state.textContent = "";
    return;
  }
  const found = index
    .map((entry) => ({ entry, score: scoreOf(entry, words) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score);
  state.textContent = found.length ? `${found.length} ${found.length === 1 ? "result" : "results"}` : "Nothing found.";
  results.append(...found.slice(0, 12).map(({ entry }) => resultOf(entry, words)));
}

/** The sum of the words' scores; 0 where one of them does not occur. */
function scoreOf(entry, words) {
  let sum = 0;
  for (const word of words) {
    const score = 12 * matches(entry.title, word) + 5 * matches(entry.page, word) + matches(entry.text, word);
    if (!score) return 0;
    sum += score;
  }
  return sum + (entry.title.toLowerCase() === words.join(" ") ? 50 : 0);
}

/** 2 at the start of a word, 1 within one, else 0. */
function matches(text, word) {
  const at = text.toLowerCase().indexOf(word);
  if (at < 0) return 0;
  return ` ${text.toLowerCase()}`.match(new RegExp(`[^\\p{L}\\p{N}]${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`, "u")) ? 2 : 1;
}

/** About 130 characters around `word`, from a whole word to a whole word. */
function excerpt(text, word) {
  const before = text.toLowerCase().indexOf(word) - 40;
  const start = before > 0 ? text.indexOf(" ", before) + 1 : 0;
  const end = text.length > start + 130 ? text.lastIndexOf(" ", start + 130) : text.length;
  return `${start ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
}

function resultOf({ title, page, url, text }, words) {
  const item = document.createElement("li");
  const anchor = document.createElement("a");
  anchor.href = url;
  for (const [tag, content] of [["strong", title], ["span", page], ["small", excerpt(text, words[0])]]) {
    const part = document.createElement(tag);
    part.textContent = content;
    anchor.append(part);
  }
  item.append(anchor);
  return item;
}
