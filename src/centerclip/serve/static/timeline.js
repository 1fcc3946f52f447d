// Draws a query's scores along a video, and its moments, under the player's slider.

import { draw } from "./format.js";

const WIDTH = 1000;
const HEIGHT = 70;
const MARGIN = 4; // above the highest and below the lowest score

// One scale for all videos of a query: from what an unrelated window scores up to the best hit in the library.
export function drawTimeline(chart, { duration, moments, curve }) {
  const x = (seconds) => ((WIDTH * Math.min(seconds, duration)) / duration).toFixed(1);
  const bands = moments.map(({ start, end }) =>
    draw("rect", { class: "moment", x: x(start), width: (x(end) - x(start)).toFixed(1), y: 0, height: HEIGHT, "data-start": start }));
  chart.replaceChildren(...bands, ...(curve?.scores.length ? lines(curve, x) : []));
}

function lines({ times, scores, low, high }, x) {
  const part = (score) => Math.min(1, Math.max(0, (score - low) / (high - low || 1)));
  const y = (score) => (HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * part(score)).toFixed(1);
  const steps = times.map(([start, end], place) => `${x(start)},${y(scores[place])} ${x(end)},${y(scores[place])}`).join(" ");
  return [
    draw("polygon", { class: "area", points: `0,${HEIGHT} ${steps} ${WIDTH},${HEIGHT}` }),
    draw("polyline", { class: "line", points: steps }),
  ];
}

export function markCurrent(chart, start) {
  for (const band of chart.querySelectorAll(".moment")) {
    band.classList.toggle("current", Number(band.dataset.start) === start);
  }
}
