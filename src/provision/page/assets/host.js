// The page of one host: what it is, what is wrong and what to do, what happened.
function hostView(name) {
  const host = data.hosts.find((one) => one.name === name);
  if (!host) return [make("p", null, word("no_host")), make("p", null, make("a", { href: "#/" }, word("back")))];
  const findings = data.findings.filter((one) => one.host === name);
  const jobs = data.jobs.filter((one) => one.host === name);
  const steps = Object.prototype.hasOwnProperty.call(data.steps, name) ? data.steps[name] : [];
  const facts = [
    ["address", host.target], ["cloud", host.cloud], ["gpu", host.gpus], ["driver", host.driver], ["cuda", host.cuda],
    ["environment", host.environment], ["generation", host.generation], ["verified", host.verified === null ? null : time(host.verified)],
    ["drift", host.drift === 0 ? word("none") : host.drift], ["jobs", host.jobs],
    ...host.others.map(([key, value]) => [key, value, true]),
  ];
  return [
    make("p", { class: "verdict" }, verdictBadge(host), " ", (host.verdict ?? "").startsWith(`${host.word}: `) ? host.verdict.slice(host.word.length + 2) : host.verdict ?? ""),
    make("h2", null, word("findings")),
    findings.length ? [...findings].sort((one, other) => other.open - one.open).map(finding) : make("p", { class: "quiet" }, word("nothing")),
    make("h2", null, word("facts")),
    make("dl", null, facts.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([key, value, own]) =>
      make("div", null, make("dt", null, own ? key : word(key)), make("dd", null, value)))),
    figuresOf(name),
    jobs.length ? [make("h2", null, word("jobs")), jobsTable(jobs)] : null,
    steps.length ? [make("h2", null, word("last_run")), table("steps", steps, [
      { key: "step", value: (one) => one.title, text: (one) => one.task },
      { key: "seconds", value: (one) => one.seconds, cell: (one) => amount(one.seconds), descending: true, class: "number" },
      { key: "outcome", value: (one) => one.outcome, cell: (one) => badge(one.outcome, one.outcome) },
    ])] : null,
    make("h2", null, word("history")),
    eventsTable("history", occurrences(name), false),
  ].flat(2);
}

function finding(one) {
  const page = Object.prototype.hasOwnProperty.call(data.explained, one.code) ? data.explained[one.code][language] : null;
  return make("section", { class: `finding ${one.open ? "" : "past"}` },
    make("h3", null, badge(one.severity, named("s_", one.severity)), " ", make("code", null, one.code), " ", inline(one.title)),
    make("p", { class: "quiet" }, one.subject ? [make("code", null, one.subject), " · "] : null, word("first"), " ", stamp(one.first), " · ", word("last"), " ", stamp(one.last), " · ",
      word(one.open ? "open" : "solved")),
    one.fix ? make("p", null, make("strong", null, word("fix")), " ", inline(one.fix)) : null,
    page ? make("details", null, make("summary", { "data-focus": `explained-${one.code}` }, word("explained", one.code)), make("p", null, make("strong", null, inline(page.title))), page.blocks.map(block)) : null);
}

function jobsTable(jobs) {
  return table("jobs", jobs, [
    { key: "job", value: (one) => one.name ?? one.id, text: (one) => one.id },
    { key: "state", value: (one) => one.state, cell: (one) => badge(one.state, one.exit_code ? `${one.state} ${one.exit_code}` : one.state) },
    { key: "gpus", value: (one) => one.gpus.map((gpu) => (gpu < 0 ? "?" : gpu)).join(", ") },
    { key: "started", value: (one) => one.started, cell: (one) => stamp(one.started), descending: true },
    { key: "ended", value: (one) => one.ended, cell: (one) => stamp(one.ended), descending: true },
  ], { sort: { key: "started", down: true } });
}
