// What the browser remembers between visits: past queries and the index job that it started.

const REMEMBERED = 12;

export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // storage may be forbidden, or contain what another version wrote
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // then it isn't remembered
  }
}

export const queries = () => recall("queries", []);

export function remember(words) {
  keep("queries", [words, ...queries().filter((other) => other !== words)].slice(0, REMEMBERED));
}
