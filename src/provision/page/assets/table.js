// A table that is sorted by its heads, and searched; what was asked stays while the page refreshes itself.
const asked = {};
const collator = new Intl.Collator(undefined, { numeric: true });

function compare(one, other) {
  const none = (value) => value === null || value === undefined || value === "";
  if (none(one) || none(other)) return none(one) - none(other);
  if (typeof one === "number" && typeof other === "number") return one - other;
  return collator.compare(String(one), String(other));
}

// columns: {key, value(row) to sort and search by, cell(row) to show, descending: first}; filters: {key, value(row), label(value)}
function table(id, rows, columns, { filters = [], first = 200, sort = null } = {}) {
  const state = (asked[id] ??= { search: "", sort, picked: {}, most: first });
  const body = make("tbody");
  const status = make("p", { role: "status", class: "quiet" });
  const more = make("button", { type: "button", "data-focus": `${id}-more`, onclick: () => { state.most += 500; fill(); } }, word("more"));
  const texts = new Map();
  const textOf = (row) => {
    if (!texts.has(row)) texts.set(row, columns.map((column) => `${column.value(row) ?? ""} ${column.text?.(row) ?? ""}`).join("\n").toLowerCase());
    return texts.get(row);
  };
  const heads = columns.map((column) => make("th", { scope: "col" },
    make("button", { type: "button", "data-focus": `${id}-${column.key}`, onclick: () => order(column) }, word(column.label ?? column.key))));

  function order(column) {
    const same = state.sort && state.sort.key === column.key;
    state.sort = { key: column.key, down: same ? !state.sort.down : Boolean(column.descending) };
    fill();
  }
  function fill() {
    const sought = state.search.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let found = rows.filter((row) => filters.every(({ key, value }) => !state.picked[key] || String(value(row)) === state.picked[key])
      && sought.every((one) => textOf(row).includes(one)));
    const column = columns.find((one) => state.sort && one.key === state.sort.key);
    if (column) {
      const sign = state.sort.down ? -1 : 1;
      const empty = (row) => { const value = column.value(row); return value === null || value === undefined || value === ""; };
      // What is not known stands last either way.
      found = [...found].sort((one, other) => (empty(one) || empty(other) ? 1 : sign) * compare(column.value(one), column.value(other)));
    }
    columns.forEach((one, at) => {
      const value = column === one ? (state.sort.down ? "descending" : "ascending") : "none";
      heads[at].setAttribute("aria-sort", value);
    });
    body.replaceChildren(...found.slice(0, state.most).map((row) => make("tr", null, columns.map((one) =>
      make("td", { class: one.class, "data-label": word(one.label ?? one.key) }, one.cell ? one.cell(row) : one.value(row) ?? "–")))));
    status.textContent = rows.length ? word("shown", Math.min(found.length, state.most), rows.length) : word("nothing");
    more.hidden = found.length <= state.most;
  }

  const search = make("input", { type: "search", id: `${id}-search`, "data-focus": `${id}-search`, autocomplete: "off", spellcheck: "false",
    oninput: (event) => { state.search = event.target.value; fill(); } });
  search.value = state.search;
  const picks = filters.map(({ key, value, label, heading }) => {
    const values = [...new Set(rows.map((row) => String(value(row) ?? "")))].filter(Boolean).sort(collator.compare);
    if (state.picked[key] && !values.includes(state.picked[key])) state.picked[key] = "";
    const pick = make("select", { id: `${id}-pick-${key}`, "data-focus": `${id}-pick-${key}`, oninput: (event) => { state.picked[key] = event.target.value; fill(); } },
      make("option", { value: "" }, word("all")), values.map((one) => make("option", { value: one }, label ? label(one) : one)));
    pick.value = state.picked[key] ?? "";
    return make("label", null, word(heading ?? key), " ", pick);
  });
  fill();
  return make("div", { class: "tabled" },
    make("div", { class: "tools" }, make("label", null, word("search"), " ", search), picks, status),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": word(id) }, make("table", { id: `${id}-table` }, make("thead", null, make("tr", null, heads)), body)),
    more);
}
