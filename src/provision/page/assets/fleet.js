// The fleet at a glance.
const ORDER = ["unfit", "unproven", "unknown", "fit"];
const verdictBadge = (host) => badge(host.word, named("v_", host.word));

function fleetView() {
  const counts = new Map();
  for (const host of data.hosts) counts.set(host.word, (counts.get(host.word) ?? 0) + 1);
  const words = [...counts.keys()].sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
  const open = data.findings.filter((one) => one.open);
  const drifted = data.hosts.filter((one) => one.drift).length;
  const jobs = data.hosts.reduce((sum, one) => sum + one.jobs, 0);
  const tile = (number, text, kind) => make("li", { class: `tile ${kind ? `is-${kind}` : ""}` }, make("strong", null, number), " ", text);
  return [
    make("ul", { class: "tiles" },
      words.map((one) => tile(counts.get(one), named("v_", one), /^[a-z]+$/.test(one) ? one : "other")),
      tile(drifted, word("drift"), drifted ? "warning" : ""), tile(open.length, word("findings"), open.length ? "warning" : ""), tile(jobs, word("jobs"), "")),
    table("fleet", data.hosts, [
      { key: "host", value: (host) => host.name, cell: (host) => hostLink(host.name), text: (host) => host.target },
      { key: "cloud", value: (host) => host.cloud, class: "short" },
      { key: "gpu", value: (host) => host.gpus, class: "gpu" },
      { key: "driver", value: (host) => host.driver, class: "short" },
      { key: "cuda", value: (host) => host.cuda, class: "short" },
      { key: "environment", value: (host) => host.environment, class: "short" },
      { key: "generation", value: (host) => host.generation, class: "short code" },
      { key: "verified", value: (host) => host.verified, cell: (host) => stamp(host.verified), descending: true, text: (host) => time(host.verified) },
      { key: "drift", value: (host) => host.drift, descending: true, class: "number",
        cell: (host) => (host.drift === null ? "–" : host.drift === 0 ? word("none") : badge("warning", host.drift)) },
      { key: "jobs", value: (host) => host.jobs, descending: true, class: "number" },
      { key: "verdict", value: (host) => ORDER.indexOf(host.word), cell: verdictBadge, text: (host) => `${host.word} ${named("v_", host.word)} ${host.verdict ?? ""}` },
    ], {
      first: 500, sort: { key: "verdict", down: false },
      filters: [
        { key: "verdict", value: (host) => host.word, label: (one) => named("v_", one) },
        { key: "cloud", value: (host) => host.cloud },
        { key: "environment", value: (host) => host.environment },
      ],
    }),
  ];
}

function findingsView() {
  return [findingsTable("findings", data.findings, true)];
}

function findingsTable(id, findings, withHost) {
  const columns = [
    { key: "severity", value: (one) => ["error", "warning", "info"].indexOf(one.severity), cell: (one) => badge(one.severity, named("s_", one.severity)), text: (one) => one.severity },
    { key: "code", value: (one) => one.code, class: "code" },
    { key: "what", value: (one) => one.title, cell: (one) => inline(one.title), text: (one) => one.subject },
    { key: "fix", value: (one) => one.fix, cell: (one) => (one.fix ? inline(one.fix) : "–") },
    { key: "last", value: (one) => one.last, cell: (one) => stamp(one.last), descending: true },
    { key: "state", value: (one) => (one.open ? 0 : 1), cell: (one) => badge(one.open ? "open" : "solved", word(one.open ? "open" : "solved")) },
  ];
  if (withHost) columns.splice(2, 0, { key: "host", value: (one) => one.host, cell: (one) => hostLink(one.host) });
  return table(id, findings, columns, {
    sort: { key: "state", down: false },
    filters: [
      { key: "state", value: (one) => (one.open ? "open" : "solved"), label: (one) => word(one) },
      { key: "severity", value: (one) => one.severity, label: (one) => named("s_", one) },
    ],
  });
}
