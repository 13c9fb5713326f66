// What happened: runs, and what was seen to change; and the plots.
function occurrences(only) {
  const found = [];
  for (const run of data.runs) {
    for (const one of run.hosts) {
      if (only === null || one.host === only) found.push({ at: run.started, host: one.host, kind: "run", run, one });
    }
    if (only === null && !run.hosts.length) found.push({ at: run.started, host: null, kind: "run", run, one: null });
  }
  for (const event of data.events) {
    if (only === null || event.host === only) found.push({ ...event, run: null });
  }
  return found.sort((one, other) => other.at - one.at);
}

function told(one) {
  if (!one.run) return one.text;
  const parts = [one.run.typed];
  if (one.run.schedule) parts.push(word("schedule", one.run.schedule));
  if (one.run.ended === null) parts.push(word("not_ended"));
  else if (one.run.exit_code) parts.push(word("exit", one.run.exit_code));
  if (one.one?.error) parts.push(one.one.error);
  return parts.join(" · ");
}

function eventsTable(id, rows, withHost) {
  const columns = [
    { key: "when", value: (one) => one.at, cell: (one) => stamp(one.at), descending: true, text: (one) => time(one.at) },
    { key: "kind", value: (one) => one.kind, cell: (one) => badge(one.kind, named("k_", one.kind)), text: (one) => named("k_", one.kind) },
    { key: "what", value: told },
    { key: "outcome", value: (one) => one.one?.outcome, cell: (one) => (one.one ? badge(one.one.outcome, one.one.outcome) : "") },
    { key: "seconds", value: (one) => one.one?.seconds, cell: (one) => (one.one ? amount(one.one.seconds) : ""), class: "number", descending: true },
  ];
  if (withHost) columns.splice(1, 0, { key: "host", value: (one) => one.host, cell: (one) => (one.host === null ? "–" : hostLink(one.host)) });
  return table(id, rows, columns, {
    sort: { key: "when", down: true },
    filters: [{ key: "kind", value: (one) => one.kind, label: (one) => named("k_", one) }],
  });
}

const timelineView = () => [...figuresOf(null, ["outcomes"]), eventsTable("timeline", occurrences(null), true)];

function plotsView() {
  const found = figuresOf(null, ["gpu", "steps", "build"]);
  return [...found, data.drawn && found.length ? null : make("p", { class: "quiet" }, word("no_plots"))];
}

// The drawings stand in the page already: they are moved to where they are looked at, and back.
function figuresOf(host, keys = null) {
  return drawn.flatMap((plot, at) => {
    if (plot.host !== host || (keys && !keys.includes(plot.key))) return [];
    const figure = document.getElementById(`plot-${at}`);
    if (!figure) return [];
    figure.hidden = false;
    document.getElementById(`caption-${at}`).textContent = word(`plot_${plot.key}`);
    figure.querySelector("details")?.remove();
    figure.append(make("details", null, make("summary", { "data-focus": `numbers-${at}` }, word("numbers")),
      make("div", { class: "scroll", tabindex: 0 }, block(["table", [plot.head, ...plot.rows.map((row) => row.map((one) => (one === null ? "–" : String(one))))]]))));
    return [figure];
  });
}
const drawn = data.plots;
function putFiguresBack() {
  const home = document.getElementById("figures");
  document.querySelectorAll("main figure").forEach((figure) => home.append(figure));
}
