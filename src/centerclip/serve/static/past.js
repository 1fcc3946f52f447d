// What this browser remembers between visits: past queries and the index job it started.

const REMEMBERED = 12;

export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // storage may be forbidden, or hold what another version wrote
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // then it is forgotten
  }
}

export const queries = () => recall("queries", []);

export function remember(words) {
  keep("queries", [words, ...queries().filter((other) => other !== words)].slice(0, REMEMBERED));
}
