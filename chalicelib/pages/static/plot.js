"use strict";
// Says below a plot what the bar under the pointer stands for. Without it there are the bars' titles and the table.
for (const plot of document.querySelectorAll(".plot")) {
  const readout = plot.querySelector(".readout");
  const resting = readout.textContent;
  for (const bar of plot.querySelectorAll("g")) {
    const title = bar.querySelector("title");
    const text = title.textContent;
    title.remove();
    bar.addEventListener("pointerenter", () => (readout.textContent = text));
    bar.addEventListener("pointerleave", () => (readout.textContent = resting));
  }
}
