// Offers the free times of the chosen day below the field of the time; a click fills it in.
const day = document.querySelector("[data-free-times]");
const { time, service, staff, party_size: party } = day.form.elements;
const offer = Object.assign(document.createElement("div"), { className: "kx-times", role: "group", ariaLabel: "Free times" });
const text = Object.assign(document.createElement("p"), { className: "help" });
text.setAttribute("role", "status");
offer.append(text);
time.closest(".form-row").append(offer);
let latest = 0;

function button(slot) {
  const choice = Object.assign(document.createElement("button"), { type: "button", textContent: slot.label });
  if (slot.staff.length) choice.title = `With ${slot.staff.join(", ")}`;
  choice.addEventListener("click", () => {
    [day.value, time.value] = [slot.day, slot.time];
    offer.querySelectorAll("button").forEach((one) => (one.ariaPressed = String(one === choice)));
  });
  return choice;
}

async function show() {
  const number = ++latest;
  offer.querySelectorAll("button").forEach((one) => one.remove());
  if (!day.value || (service && !service.value)) {
    text.textContent = "Choose a service and a day to see the free times.";
    return;
  }
  const url = new URL(day.dataset.freeTimes, location.href);
  url.searchParams.set("day", day.value);
  if (service) url.searchParams.set("service", service.value);
  if (staff?.value) url.searchParams.set("staff", staff.value);
  if (party?.value) url.searchParams.set("party_size", party.value);
  const response = await fetch(url);
  if (number !== latest) return; // another day was chosen meanwhile
  const found = response.ok || response.status === 422 ? await response.json() : { errors: { "": ["Free times could not be read."] } };
  if (found.errors) {
    text.textContent = Object.values(found.errors).flat().join(" ");
    return;
  }
  if (found.is_of_day) text.textContent = `Free times (${found.zone}):`;
  else text.textContent = found.times.length ? `Nothing is free on this day. The next free time (${found.zone}):` : "Nothing is free.";
  offer.append(...found.times.map(button));
}

const changed = (event) => [day, service, staff, party].includes(event.target) && show();
// Searched choices report their changes to jQuery alone.
if (window.django?.jQuery) django.jQuery(day.form).on("change", changed);
else day.form.addEventListener("change", changed);
show();
