// Indexing started from the page: live progress, and a stop button. A job goes on when the page is left, and is
// followed again when it is opened.

import * as api from "./api.js";
import { byId, plural } from "./format.js";
import { keep, recall } from "./past.js";

let tell = null; // { finished(job), failed(error) }
let source = null;

export async function setUp(told) {
  tell = told;
  byId("reindex").addEventListener("click", start);
  byId("job-cancel").addEventListener("click", () => api.cancelIndexing(recall("job", "")).catch(tell.failed));
  const last = recall("job", "");
  if (last) await resume(last);
}

async function start() {
  try {
    follow((await api.startIndexing()).job);
  } catch (error) {
    tell.failed(error);
  }
}

async function resume(last) {
  try {
    if ((await api.indexJob(last)).state === "running") follow(last);
    else keep("job", "");
  } catch {
    keep("job", ""); // of another server, or long forgotten
  }
}

function follow(id) {
  keep("job", id);
  source?.close();
  show("Looking at the files…", null);
  source = api.followIndexing(id);
  source.addEventListener("progress", (event) => {
    const job = JSON.parse(event.data);
    if (job.state === "running") {
      const known = job.total > 0;
      show(known ? `${job.files} of ${plural(job.total, "new file")}` : "Looking at the files…", known ? job.files / job.total : null);
      return;
    }
    end();
    tell.finished(job);
  });
  // The browser reconnects by itself unless the server says that there is no such job.
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
  const failed = job.states.failed ? `, ${job.states.failed} could not be read` : "";
  const stopped = job.state === "canceled" ? "Stopped: " : "";
  return `${stopped}${job.states.indexed ? `${plural(job.states.indexed, "video")} indexed` : "Nothing new"}${failed}.`;
}
