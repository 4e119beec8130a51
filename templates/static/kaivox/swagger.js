"use strict";

const place = document.getElementById("swagger-ui");
const root = document.documentElement;

const colour = () => { root.classList.toggle("dark-mode", root.dataset.colours === "dark"); };
colour();
new MutationObserver(colour).observe(root, { attributeFilter: ["data-colours"] });

SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false, // a key typed here goes with the tab
  validatorUrl: null, // else the page would send our document to a service outside
});
