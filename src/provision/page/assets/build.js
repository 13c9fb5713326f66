// Everything that is shown is built here, of elements and of text: no markup is ever read from data.
let data = JSON.parse(document.getElementById("data").textContent);
const kept = (() => {
  // A browser may refuse to keep anything for a page that was opened from a file.
  const memory = {};
  return {
    get: (key) => { try { return localStorage.getItem(key); } catch { return memory[key] ?? null; } },
    set: (key, value) => { memory[key] = value; try { localStorage.setItem(key, value); } catch { /* it is in memory */ } },
  };
})();
const preferred = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
let language = ["en", "zh"].includes(kept.get("provision-language")) ? kept.get("provision-language") : preferred;

function word(key, ...values) {
  const text = data.words[language][key] ?? key;
  return values.reduce((sofar, value, at) => sofar.split(`{${at}}`).join(String(value)), text);
}
// The word for a value where there is one; otherwise the value itself.
const named = (prefix, value) => {
  const words = data.words[language];
  const key = prefix + value;
  return Object.prototype.hasOwnProperty.call(words, key) ? words[key] : value;
};

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") element.addEventListener("click", value);
    else if (name === "oninput") element.addEventListener("input", value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

const two = (number) => String(number).padStart(2, "0");
function time(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return "–";
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
const stamp = (seconds) => make("time", { datetime: iso(seconds), title: iso(seconds) }, time(seconds));
function iso(seconds) {
  const at = new Date((seconds ?? NaN) * 1000);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
const amount = (seconds) => (seconds === null || seconds === undefined ? "–" : seconds < 9.95 ? seconds.toFixed(1) : String(Math.round(seconds)));
const badge = (kind, text) => make("span", { class: `badge ${/^[a-z-]+$/.test(kind) ? `is-${kind}` : ""}` }, text);
const hostLink = (name) => make("a", { href: `#/host/${encodeURIComponent(name)}` }, name);

// Code between backticks is all that a text may mean.
const inline = (text) => text.split("`").map((part, at) => (at % 2 ? make("code", null, part) : part));
function block([kind, value]) {
  if (kind === "h") return make("h4", null, inline(value));
  if (kind === "code") return make("pre", { tabindex: 0 }, make("code", null, value));
  if (kind === "list") return make("ul", null, value.map((one) => make("li", null, inline(one))));
  if (kind === "table") {
    const row = (cells, tag) => make("tr", null, cells.map((cell) => make(tag, tag === "th" ? { scope: "col" } : null, inline(cell))));
    const [head, ...rows] = value;
    return make("table", null, make("thead", null, row(head, "th")), make("tbody", null, rows.map((one) => row(one, "td"))));
  }
  return make("p", null, inline(value));
}
