"use strict";
// The copy buttons: hidden until this runs, since without JavaScript a person selects the field and copies it.
for (const button of document.querySelectorAll("button[data-copies]")) {
  const field = document.getElementById(button.dataset.copies);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy"); // on plain http, where the clipboard API is off
    }
    button.textContent = "Copied";
    button.setAttribute("aria-live", "polite");
  });
}
