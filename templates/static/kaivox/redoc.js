"use strict";

const place = document.getElementById("redoc");
const root = document.documentElement;
const font = getComputedStyle(document.body).fontFamily;
const dark = root.dataset.colours === "dark";

Redoc.init(place.dataset.schema, {
  scrollYOffset: ".bar",
  disableSearch: true, // its index runs in a worker from a blob: URL, which the Content-Security-Policy blocks
  hideDownloadButton: false,
  sortRequiredPropsFirst: true,
  theme: {
    colors: dark
      ? {
        primary: { main: "#66d6c0" }, success: { main: "#66d6c0" }, error: { main: "#ffb3ab" }, warning: { main: "#f3c676" },
        text: { primary: "#e5eeec", secondary: "#a3b5b0" }, border: { dark: "#2d3b38", light: "#2d3b38" },
        gray: { 50: "#16201e", 100: "#1b2725" },
      }
      : { primary: { main: "#0a6657" }, success: { main: "#0a6657" } },
    schema: dark ? { nestedBackground: "#16201e", typeNameColor: "#a3b5b0", typeTitleColor: "#a3b5b0" } : {},
    typography: {
      fontFamily: font,
      fontSize: "15px",
      headings: { fontFamily: font, fontWeight: "650" },
      code: {
        fontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
        color: dark ? "#f3c676" : "#7d4e00",
        backgroundColor: dark ? "#16201e" : "rgba(38, 50, 56, .05)",
      },
    },
    sidebar: dark
      ? { backgroundColor: "#16201e", textColor: "#e5eeec" }
      : { backgroundColor: "#f3f7f6", textColor: "#14211f" },
    rightPanel: { backgroundColor: "#11211e" },
  },
}, place);

// Redoc reads the colours once, so another theme renders it again.
new MutationObserver(() => { if ((root.dataset.colours === "dark") !== dark) location.reload(); }).observe(root, { attributeFilter: ["data-colours"] });
