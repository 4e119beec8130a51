"use strict";

const place = document.getElementById("redoc");
const font = getComputedStyle(document.body).fontFamily;

Redoc.init(place.dataset.schema, {
  scrollYOffset: ".bar",
  disableSearch: true, // its index runs in a worker from a blob: URL, which our page policy refuses
  hideDownloadButton: false,
  sortRequiredPropsFirst: true,
  theme: {
    colors: { primary: { main: "#0a6657" }, success: { main: "#0a6657" } },
    typography: {
      fontFamily: font,
      fontSize: "15px",
      headings: { fontFamily: font, fontWeight: "650" },
      code: { fontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace', color: "#7d4e00" },
    },
    sidebar: { backgroundColor: "#f3f7f6", textColor: "#14211f" },
    rightPanel: { backgroundColor: "#11211e" },
  },
}, place);
