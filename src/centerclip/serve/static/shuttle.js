// The keys J, K and L of editing programs: backward, stop, forward, each press faster. Browsers can't play backward, so
// that is a series of jumps.

import * as playback from "./playback.js";

const FASTEST = 8;

let speed = 0; // below zero backward; 0 when the player isn't shuttling
let shown = null; // called with the speed

export const setUp = (show) => (shown = show);

export function stop() {
  turn(0);
  playback.setRate(1);
}

export function forward() {
  if (playback.paused() && speed >= 0) turn(1);
  else turn(speed < 0 ? 1 : Math.min(FASTEST, 2 * (speed || 1)));
  playback.setRate(speed);
  playback.play();
}

export async function backward() {
  const running = speed < 0;
  turn(running ? Math.max(-FASTEST, 2 * speed) : -1);
  if (running) return; // the series goes on at the new speed
  playback.setRate(1);
  playback.pause();
  let at = playback.now();
  let before = performance.now();
  while (speed < 0 && at > 0) {
    await new Promise(requestAnimationFrame);
    const time = performance.now();
    at = Math.max(0, at + (speed * (time - before)) / 1000);
    before = time;
    if (speed < 0) await playback.seek(at, { still: true });
  }
  if (speed < 0) turn(0);
}

function turn(to) {
  speed = to;
  shown(speed);
}
