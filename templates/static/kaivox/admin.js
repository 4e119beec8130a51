// Names for screen readers that the markup of Django's admin leaves out.
const isNamed = (element) =>
  element.labels?.length || element.ariaLabel || element.hasAttribute("aria-labelledby");
const part = (field) => (field.classList.contains("vTimeField") ? "time" : "date");

// Fields in tables are named after their column.
function nameTableFields(root) {
  const fields = root.querySelectorAll(".tabular td :is(input:not([type=hidden]), select, textarea)");
  for (const field of fields) {
    const cell = field.closest("td");
    const heading = cell.closest("table").tHead?.rows[0].cells[cell.cellIndex];
    if (!heading || isNamed(field)) continue;
    const name = heading.innerText.trim() || "Delete";
    field.ariaLabel = field.matches(".vDateField, .vTimeField") ? `${name} (${part(field)})` : name;
  }
}

function nameAll() {
  for (const heading of document.querySelectorAll(".tabular thead th")) {
    if (heading.innerText.trim()) continue;
    const cell = document.createElement("td");
    cell.className = heading.className;
    heading.replaceWith(cell);
  }
  nameTableFields(document);
  for (const field of document.querySelectorAll(".datetime input")) {
    if (isNamed(field)) continue;
    const label = field.closest(".form-row")?.querySelector("legend, label");
    field.ariaLabel = `${label?.innerText.replace(":", "") ?? ""} (${part(field)})`;
  }
  for (const box of document.querySelectorAll(".select2-selection__rendered")) {
    const select = box.closest(".select2")?.previousElementSibling;
    const label = select?.labels?.[0];
    box.ariaLabel = label?.innerText.replace(":", "") ?? "";
    if (!label) continue;
    // The box that takes the focus is named by its value alone.
    label.id ||= `${select.id}-label`;
    box.closest("[role=combobox]")?.setAttribute("aria-labelledby", label.id);
  }
  document.querySelectorAll(".help-tooltip[aria-label]").forEach((icon) => (icon.role = "img"));
  const search = document.getElementById("searchbar");
  if (search) search.ariaLabel = "Search";
}

// Django's scripts build searched choices and pairs of lists when the page has loaded. jQuery runs
// what is registered last after them.
addEventListener("load", () => (window.django?.jQuery ? django.jQuery(nameAll) : nameAll()));
document.addEventListener("formset:added", () => nameTableFields(document));
