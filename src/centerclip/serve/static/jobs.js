// Indexing from the page: live progress and a stop button. A job continues when the page is closed, and the page
// follows it again when it is opened.

import * as api from "./api.js";
import { byId, plural } from "./format.js";
import { keep, recall } from "./past.js";

let report = null; // { finished(job), failed(error) }
let source = null;

export async function setUp(callbacks) {
  report = callbacks;
  byId("reindex").addEventListener("click", start);
  byId("job-cancel").addEventListener("click", () => api.cancelIndexing(recall("job", "")).catch(report.failed));
  const last = recall("job", "");
  if (last) await resume(last);
}

async function start() {
  try {
    follow((await api.startIndexing()).job);
  } catch (error) {
    report.failed(error);
  }
}

async function resume(last) {
  try {
    if ((await api.indexJob(last)).state === "running") follow(last);
    else keep("job", "");
  } catch {
    keep("job", ""); // of another server, or the server was restarted
  }
}

function follow(id) {
  keep("job", id);
  source?.close();
  show("Looking for new files…", null);
  source = api.followIndexing(id);
  source.addEventListener("progress", (event) => {
    const job = JSON.parse(event.data);
    if (job.state === "running") {
      const known = job.total > 0;
      show(known ? `${job.files} of ${plural(job.total, "new file")}` : "Looking for new files…", known ? job.files / job.total : null);
      return;
    }
    end();
    report.finished(job);
  });
  // The browser reconnects by itself unless the server answers that there is no such job.
  source.addEventListener("error", () => source.readyState === EventSource.CLOSED && end());
}

function end() {
  source.close();
  keep("job", "");
  byId("job").hidden = true;
  byId("reindex").hidden = false;
}

function show(text, part) {
  byId("job").hidden = false;
  byId("reindex").hidden = true;
  byId("job-text").textContent = text;
  if (part === null) byId("job-bar").removeAttribute("value");
  else byId("job-bar").value = part;
}

export function describe(job) {
  if (job.state === "failed") return job.message;
  const failed = job.states.failed ? `, ${job.states.failed} can't be read` : "";
  const stopped = job.state === "canceled" ? "Stopped: " : "";
  const missing = job.missing.length ? ` Not found: ${job.missing.join(", ")}.` : "";
  return `${stopped}${job.states.indexed ? `${plural(job.states.indexed, "video")} indexed` : "Nothing new"}${failed}.${missing}`;
}
