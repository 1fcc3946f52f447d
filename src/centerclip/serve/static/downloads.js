// Gets files out of the page: a clip of one moment, or several moments in one file.

import * as api from "./api.js";
import { make } from "./format.js";

const MEGABYTE = 1e6;

// Cuts a moment and saves the clip. Throws a Trouble if that fails.
export async function saveClip({ video_id, start, end }) {
  const address = api.clip(video_id, start, end);
  await api.prepare(address);
  save(address);
}

// Saves several moments as one file of a format. `progress` is called with each further megabyte that has arrived.
// Returns the file's name, and what is not in it, as { name, reason }.
export async function saveMoments(wanted, { signal, progress }) {
  const response = await api.exportMoments(wanted, signal);
  const parts = [];
  let size = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new api.Trouble("The connection broke off. Try again.");
    });
    if (done) break;
    parts.push(value);
    const before = Math.floor(size / MEGABYTE);
    size += value.length;
    if (Math.floor(size / MEGABYTE) > before) progress(Math.floor(size / MEGABYTE));
  }
  const name = nameIn(response.headers.get("Content-Disposition") ?? "");
  const url = URL.createObjectURL(new Blob(parts, { type: response.headers.get("Content-Type") }));
  save(url, name);
  setTimeout(URL.revokeObjectURL, 60_000, url); // once the browser has taken it
  return { name, failed: JSON.parse(decodeURIComponent(response.headers.get("Centerclip-Failed") ?? "[]")) };
}

function save(address, download = "") {
  const link = make("a", { href: address, download, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

function nameIn(disposition) {
  const [, encoded] = /filename\*=utf-8''([^;]+)/i.exec(disposition) ?? [];
  return encoded ? decodeURIComponent(encoded) : (/filename="([^"]+)"/.exec(disposition)?.[1] ?? "moments");
}
