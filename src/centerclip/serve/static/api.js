// Talks to the server: every call returns parsed JSON or throws a Trouble with words for the user.

export class Trouble extends Error {
  constructor(message, { status = 0, code = "", retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, retryAfter });
  }
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("The server does not answer. Is centerclip serve still running?", { code: "gone" });
  }
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) {
    throw new Trouble(body?.error?.message ?? `The server answered ${response.status}.`, {
      status: response.status,
      code: body?.error?.code ?? "",
      retryAfter: Number(response.headers.get("Retry-After") ?? 0),
    });
  }
  return body;
}

const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value != null);
  return new URLSearchParams(given).toString();
};

export const stats = () => call("/api/stats");
export const search = (values, signal) => call(`/api/search?${query(values)}`, { signal });
export const curve = (id, values, signal) =>
  call(`/api/videos/${encodeURIComponent(id)}/curve?${query(values)}`, { signal });

export function searchByFile(file, values, signal) {
  const form = new FormData();
  form.append("file", file);
  for (const [name, value] of Object.entries(values)) if (value !== "" && value != null) form.append(name, value);
  return call("/api/search", { method: "POST", body: form, signal });
}

export const startIndexing = () =>
  call("/api/index", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
export const cancelIndexing = (job) => call(`/api/index/${encodeURIComponent(job)}`, { method: "DELETE" });
export const followIndexing = (job) => new EventSource(`/api/index/${encodeURIComponent(job)}/events`);

export const tokensPicture = (hit) =>
  `/api/videos/${encodeURIComponent(hit.video_id)}/tokens?${query({ start: hit.window_start, end: hit.window_end })}`;
