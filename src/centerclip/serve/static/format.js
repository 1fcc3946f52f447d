// Formats numbers for people, and makes elements.

const SVG = "http://www.w3.org/2000/svg";

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

// With tenths of a second.
export const exact = (seconds) => `${clock(seconds + 0.05)}.${Math.floor((seconds + 0.05) * 10) % 10}`;

// As editing programs and FFmpeg read it: hours, minutes, seconds, milliseconds.
export const timestamp = (seconds) => new Date(Math.round(seconds * 1000)).toISOString().slice(11, 23);

export const nameOf = ({ folder, name }) => (folder ? `${folder}/${name}` : name);

export const span = ({ start, end }) => `${clock(start)} – ${clock(end)}`;

export function length(seconds) {
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`; // on one line
  if (seconds < 5400) return `${Math.round(seconds / 60)}\u00a0min`;
  return `${(seconds / 3600).toFixed(1)}\u00a0h`;
}

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// Capitalizes the first word of a message, unless that is the name of a file.
export const sentence = (text) => text.replace(/^[a-z]+(?=[ ,:;]|$)/, (word) => word[0].toUpperCase() + word.slice(1));

export function make(tag, { text, on, set, ...properties } = {}, children = []) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text != null) element.textContent = text;
  for (const [name, value] of Object.entries(set ?? {})) element.setAttribute(name, value);
  for (const [name, listener] of Object.entries(on ?? {})) element.addEventListener(name, listener);
  element.append(...children);
  return element;
}

export function draw(tag, attributes, children = []) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);
