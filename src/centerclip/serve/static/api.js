// Talks to the server: every call returns parsed JSON or throws a Trouble with a message for the visitor. Addresses
// are relative to the page, which a proxy may have put into a folder.

export class Trouble extends Error {
  constructor(message, { status = 0, code = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}

const ROOT = new URL("../", import.meta.url);

// The full address of one that the server gave, such as "/media/ID".
export const at = (address) => new URL(address.replace(/^\//, ""), ROOT).href;

// The answer to a request, which is a good one.
async function ask(address, options = {}) {
  let response;
  try {
    response = await fetch(at(address), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The server doesn't answer. Is centerclip serve still running?", { code: "gone" });
  }
  if (response.status === 401) location.reload(); // the server asks for the token then
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Trouble(body?.error?.message ?? `The server answered ${response.status}.`, {
    status: response.status,
    code: body?.error?.code ?? "",
    retryAfter: Number(response.headers.get("Retry-After") ?? 0),
  });
}

async function call(address, options) {
  const response = await ask(address, options);
  return response.status === 204 ? null : response.json().catch(() => null);
}

const withJson = (values, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(values),
  signal,
});

const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value != null)).toString();
const path = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;

export const stats = () => call("/api/stats");
export const videos = (values, signal) => call(`/api/videos?${query(values)}`, { signal });
export const failedVideos = () => videos({ where: "state = 'failed'", limit: 200 });
export const months = () => call("/api/months");
export const video = (id) => call(path("api", "videos", id));
export const search = (values, signal) => call(`/api/search?${query(values)}`, { signal });
export const curve = (id, values, signal) => call(`${path("api", "videos", id, "curve")}?${query(values)}`, { signal });

export const cues = (id, signal) => call(path("api", "videos", id, "cues"), { signal });

export function searchByFile(file, words, values, signal) {
  const form = new FormData();
  form.append("file", file);
  if (words) form.append("q", words);
  return call(`/api/search?${query(values)}`, { method: "POST", body: form, signal });
}

export const startIndexing = (wanted) => call("/api/index", withJson(wanted));
export const indexJobs = () => call("/api/index");
export const cancelIndexing = (job) => call(path("api", "index", job), { method: "DELETE" });
export const followIndexing = (job) => new EventSource(at(`${path("api", "index", job)}/events`));

export const excerpt = (id, start, end) =>
  at(`${path("excerpts", id)}?${query({ start: start.toFixed(2), end: end.toFixed(2) })}`);
export const clip = (id, start, end) => at(`${path("clips", id)}?${query({ start: start.toFixed(3), end: end.toFixed(3) })}`);
export const exportMoments = (wanted, signal) => ask("/api/export", withJson(wanted, signal));
export const thumbnail = (id, seconds) => at(`${path("thumbnails", id)}?${query({ t: seconds })}`);
export const tokensPicture = (id, seconds) => at(`${path("api", "videos", id, "tokens")}?${query({ start: seconds })}`);

// Has the server make a file. An answer without a body can't say why it failed, so another one is asked for then, which
// may also come in time, since the server goes on with what takes long.
export async function prepare(address) {
  await ask(address, { method: "HEAD" }).catch(async () => (await ask(address)).body.cancel());
}

// Why the server doesn't give a file; empty if it does.
export const whyNot = (address) => ask(address, { headers: { Range: "bytes=0-0" } }).then(() => "", (error) => error.message);
