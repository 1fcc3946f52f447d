// Gets files out of the page: a clip of one moment, or several moments in one file.

import * as api from "./api.js";
import { make } from "./format.js";

const MEGABYTE = 1e6;
const ZIP_END = 0x06054b50; // begins the last record of an archive, with its comment
const ZIP_END_SIZE = 22;
const ZIP_LONGEST_COMMENT = 65535;

// Cuts a moment and saves the clip. Throws a Trouble if that fails.
export async function saveClip({ video_id, start, end }) {
  const address = api.clip(video_id, start, end);
  await api.prepare(address);
  save(address);
}

// Saves several moments as one file of a format. `progress` is called with each further megabyte that has arrived.
// Returns the file's name, and what isn't in it and why, in words.
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
  const file = new Blob(parts, { type: response.headers.get("Content-Type") });
  const url = URL.createObjectURL(file);
  save(url, name);
  setTimeout(URL.revokeObjectURL, 60_000, url); // once the browser has taken it
  const early = JSON.parse(decodeURIComponent(response.headers.get("Centerclip-Failed") ?? "[]"));
  const failed = early.map((lost) => `${lost.name}: ${lost.reason}`);
  return { name, failed: wanted.format === "zip" ? await lostFrom(file) : failed };
}

// What the comment of an archive says that it lacks: its headers were sent before the clips were cut.
async function lostFrom(archive) {
  const tail = new DataView(await archive.slice(-ZIP_END_SIZE - ZIP_LONGEST_COMMENT).arrayBuffer());
  let at = tail.byteLength - ZIP_END_SIZE;
  while (at >= 0 && tail.getUint32(at, true) !== ZIP_END) at -= 1;
  if (at < 0) throw new api.Trouble("The archive isn't complete. Try again.");
  return new TextDecoder().decode(tail.buffer.slice(at + ZIP_END_SIZE)).split("\n").filter(Boolean);
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
