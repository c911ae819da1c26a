"use strict";
// The copy buttons: hidden until this runs, because without JavaScript a user has to select and copy the text.
const SHOWN_MS = 2000;

for (const button of document.querySelectorAll("button[data-copies]")) {
  const source = document.getElementById(button.dataset.copies);
  const label = button.textContent;
  let back;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
    } catch {
      select(source); // on plain http, where the clipboard API is off
      document.execCommand("copy");
      button.focus();
    }
    button.textContent = "Copied";
    button.nextElementSibling.textContent = "Copied to the clipboard.";
    clearTimeout(back);
    back = setTimeout(() => {
      button.textContent = label;
      button.nextElementSibling.textContent = "";
    }, SHOWN_MS);
  });
}

for (const secret of document.querySelectorAll("textarea[readonly]")) {
  secret.addEventListener("focus", () => secret.select());
}

function select(source) {
  if (source.select) source.select();
  else getSelection().selectAllChildren(source);
}
