// Starts Swagger UI from the settings in the page, so that the page needs no inline script and its CSP can forbid them.
"use strict";

(() => {
  const settings = JSON.parse(document.getElementById("swagger-ui").dataset.settings);
  const ui = SwaggerUIBundle({
    presets: [SwaggerUIBundle.presets.apis],
    ...settings.parameters,
    dom_id: "#swagger-ui",
    url: settings.openapi,
    // The badge would send the document's address to its vendor.
    validatorUrl: null,
    oauth2RedirectUrl: new URL(settings.oauth2Redirect, location.href).href,
  });
  if (settings.oauth) {
    ui.initOAuth(settings.oauth);
  }
})();
