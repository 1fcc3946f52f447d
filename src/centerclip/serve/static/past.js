// What the browser remembers: past queries between visits, and the selection until its tab is closed.

const REMEMBERED = 12;

export const recall = (name, otherwise) => read("localStorage", name, otherwise);
export const keep = (name, value) => write("localStorage", name, value);
export const recallInTab = (name, otherwise) => read("sessionStorage", name, otherwise);
export const keepInTab = (name, value) => write("sessionStorage", name, value);

function read(storage, name, otherwise) {
  try {
    return JSON.parse(window[storage].getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // storage may be forbidden, or contain what another version wrote
  }
}

function write(storage, name, value) {
  try {
    window[storage].setItem(name, JSON.stringify(value));
  } catch {
    // then it isn't remembered
  }
}

export const queries = () => recall("queries", []);

export function remember(words) {
  keep("queries", [words, ...queries().filter((other) => other !== words)].slice(0, REMEMBERED));
}
