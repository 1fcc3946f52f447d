// Draws a query's scores along a video, and its moments, under the player's slider.

import { draw } from "./format.js";

const WIDTH = 1000;
const HEIGHT = 70;

// Scaled from the video's lowest to its highest score, since cosines of different queries aren't comparable.
export function drawTimeline(chart, { duration, moments, curve }) {
  const x = (seconds) => ((WIDTH * Math.min(seconds, duration)) / duration).toFixed(1);
  const bands = moments.map(({ start, end }) =>
    draw("rect", { class: "moment", x: x(start), width: (x(end) - x(start)).toFixed(1), y: 0, height: HEIGHT, "data-start": start }));
  chart.replaceChildren(...bands, ...(curve?.scores.length ? lines(curve, x) : []));
}

function lines({ times, scores }, x) {
  const low = Math.min(...scores);
  const range = Math.max(...scores) - low || 1;
  const y = (score) => (HEIGHT - 10 - ((HEIGHT - 20) * (score - low)) / range).toFixed(1);
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
