// Moves appointments of the calendar by dragging: with a mouse at once, on a touch screen after a long press.
// A drop asks, then sends the form of the action "Move", which shows why a time is refused and offers others.
const STEP = 5; // minutes
const HOLD_MS = 350;
const SLACK = 6; // pixels that are still a click
const EDGE = 48; // pixels from an edge at which the view scrolls

const grid = document.querySelector(".kx-grid");
const scroller = grid?.parentElement;
const dialog = document.querySelector(".kx-dialog");
let drag = null;
let dropped = null;

const clock = (minute) => [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, "0")).join(":");

function begin() {
  drag.active = true;
  drag.block.classList.add("kx-moving");
  drag.ghost = Object.assign(document.createElement("div"), { className: "kx-ghost" });
  move(drag.x, drag.y);
}

function trackAt(x) {
  return [...grid.querySelectorAll(".kx-track")].find((track) => {
    const box = track.getBoundingClientRect();
    return box.left <= x && x < box.right;
  });
}

// The ghost is where the appointment would be: the column under the pointer, in steps of STEP minutes.
function move(x, y) {
  const track = trackAt(x) ?? drag.track;
  const first = grid.dataset.firstHour * 60;
  const shown = grid.dataset.hours * 60;
  const box = track.getBoundingClientRect();
  const minute = first + Math.round((((y - drag.grip - box.top) / box.height) * shown) / STEP) * STEP;
  drag.track = track;
  drag.minute = Math.max(first, Math.min(first + shown - Math.min(drag.minutes, shown), minute));
  drag.ghost.style.top = `${((drag.minute - first) / shown) * 100}%`;
  drag.ghost.style.height = `${(drag.minutes / shown) * 100}%`;
  drag.ghost.textContent = `${clock(drag.minute)} ${drag.block.dataset.customer}`;
  track.append(drag.ghost);
}

function scrollAtEdges(x, y) {
  const box = scroller.getBoundingClientRect();
  if (x < box.left + EDGE) scroller.scrollLeft -= EDGE / 4;
  if (x > box.right - EDGE) scroller.scrollLeft += EDGE / 4;
  if (y < EDGE) scrollBy(0, -EDGE / 4);
  if (y > innerHeight - EDGE) scrollBy(0, EDGE / 4);
}

function end() {
  clearTimeout(drag?.timer);
  drag?.block.classList.remove("kx-moving");
  drag?.ghost?.remove();
  drag = null;
}

function ask({ block, track, minute }) {
  const form = dialog.querySelector("form");
  const { day, time, staff } = form.elements;
  const column = block.dataset.staff ? track.dataset : {}; // one whose service needs no staff never gets any
  [day.value, time.value, staff.value] = [track.dataset.day, clock(minute), column.staff ?? block.dataset.staff];
  form.action = `${block.dataset.move}?next=${encodeURIComponent(location.pathname + location.search)}`;
  const who = column.name ?? block.dataset.name;
  form.querySelector("[data-change]").textContent =
    `${block.dataset.customer}: ${track.dataset.date}, ${time.value}${who && ` with ${who}`}.`;
  dialog.showModal();
}

// The click at the end of a drag does not open the appointment.
grid?.addEventListener("click", (event) => dropped?.contains(event.target) && event.preventDefault());

grid?.addEventListener("pointerdown", (event) => {
  dropped = null;
  const block = event.target.closest("[data-move]");
  if (!block || event.button !== 0 || drag) return;
  const grip = event.clientY - block.getBoundingClientRect().top;
  const { clientX: x, clientY: y } = event;
  drag = { block, grip, x, y, track: block.parentElement, minutes: Number(block.dataset.minutes), pointer: event.pointerId };
  if (event.pointerType === "touch") drag.timer = setTimeout(begin, HOLD_MS);
});

addEventListener("pointermove", (event) => {
  if (event.pointerId !== drag?.pointer) return;
  const { clientX: x, clientY: y } = event;
  const isFar = Math.hypot(x - drag.x, y - drag.y) > SLACK;
  if (!drag.active && isFar && event.pointerType === "touch") return end(); // the finger scrolls
  if (!drag.active && isFar) begin();
  if (!drag.active) return;
  scrollAtEdges(x, y);
  move(x, y);
});

addEventListener("pointerup", (event) => {
  if (event.pointerId !== drag?.pointer) return;
  const done = drag;
  end();
  if (!done.active) return;
  dropped = done.block;
  if (done.track !== done.block.parentElement || done.minute !== Number(done.block.dataset.start)) ask(done);
});

addEventListener("pointercancel", end);
addEventListener("keydown", (event) => event.key === "Escape" && end());
// While a finger drags, the page neither scrolls nor opens a menu.
addEventListener("touchmove", (event) => drag?.active && event.preventDefault(), { passive: false });
addEventListener("contextmenu", (event) => (drag?.active || drag?.timer) && event.preventDefault());
