// Reads a calendar feed with ical.js and node-ical; prints what each makes of every event.
const fs = require("fs");
const ICAL = require("ical.js");
const node = require("node-ical");

const text = fs.readFileSync(process.argv[2], "utf8");
const calendar = new ICAL.Component(ICAL.parse(text));
const withIcalJs = calendar.getAllSubcomponents("vevent").map((component) => {
  const event = new ICAL.Event(component);
  return [event.uid, event.summary, event.description, event.startDate.toJSDate().toISOString()];
});
const withNodeIcal = Object.values(node.sync.parseICS(text))
  .filter((one) => one.type === "VEVENT")
  .map((one) => [one.uid, one.summary, one.description, one.start.toISOString()]);
console.log(JSON.stringify({ "ical.js": withIcalJs, "node-ical": withNodeIcal }));
