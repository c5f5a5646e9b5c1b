// Starts ReDoc from the settings in the page, so that the page needs no inline script and its CSP can forbid them.
"use strict";

(() => {
  const place = document.getElementById("redoc");
  Redoc.init(JSON.parse(place.dataset.settings).openapi, { nativeScrollbars: true }, place);
})();
