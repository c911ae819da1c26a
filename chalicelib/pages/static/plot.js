"use strict";
// Shows the values of the bar under the pointer below a plot. Without JavaScript, the bars have titles and the table has the values.
for (const plot of document.querySelectorAll(".plot")) {
  const readout = plot.querySelector(".readout");
  const initial = readout.textContent;
  for (const bar of plot.querySelectorAll("g")) {
    const title = bar.querySelector("title");
    const text = title.textContent;
    title.remove();
    bar.addEventListener("pointerenter", () => (readout.textContent = text));
    bar.addEventListener("pointerleave", () => (readout.textContent = initial));
  }
}
