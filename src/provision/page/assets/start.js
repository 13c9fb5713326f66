// Where the address says: the fleet, a host, the findings, the timeline, the plots.
const VIEWS = { "": fleetView, findings: findingsView, timeline: timelineView, plots: plotsView };
const HEADS = { "": "fleet", findings: "findings", timeline: "timeline", plots: "plots" };
let note = "";
let stale = false;

function place() {
  const [, first = "", ...rest] = location.hash.split("/");
  if (first !== "host") return { section: Object.prototype.hasOwnProperty.call(VIEWS, first) ? first : "", host: null };
  try { return { section: "host", host: decodeURIComponent(rest.join("/")) }; } catch { return { section: "", host: null }; }
}

function dark() {
  const chosen = document.documentElement.dataset.scheme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
function choose(scheme) {
  document.documentElement.dataset.scheme = scheme;
  kept.set("provision-scheme", scheme);
  draw();
}

function header() {
  const { section } = place();
  const links = Object.keys(VIEWS).map((one) => make("a", { href: `#/${one}`, "data-focus": `nav-${one}`, "aria-current": one === section ? "page" : null }, word(HEADS[one])));
  const button = (key, text, onclick) => make("button", { type: "button", id: key, "data-focus": key, onclick }, text);
  return [
    make("p", { class: "name" }, word("title"), data.project ? ` · ${data.project}` : ""),
    make("nav", { "aria-label": word("sections") }, links),
    make("div", { class: "choices" },
      button("language", word("language"), () => { language = language === "en" ? "zh" : "en"; kept.set("provision-language", language); draw(); }),
      button("scheme", word(dark() ? "light" : "dark"), () => choose(dark() ? "light" : "dark")),
      button("print", word("print"), () => window.print()),
      stale ? button("reload", word("reload"), () => location.reload()) : null),
    make("p", { class: "quiet", id: "as-of" }, note || word("written", time(data.at))),
  ];
}

function draw({ moved = false } = {}) {
  const held = document.activeElement?.dataset?.focus;
  const caret = document.activeElement?.selectionStart;
  const wasOpen = [...document.querySelectorAll("details[open] > summary")].map((one) => one.dataset.focus);
  const { section, host } = place();
  const heading = section === "host" ? host : word(HEADS[section]);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `${heading} · provision`;
  document.getElementById("skip").textContent = word("skip");
  document.getElementById("header").replaceChildren(...header().filter(Boolean));
  putFiguresBack();
  const main = document.getElementById("main");
  const view = section === "host" ? hostView(host) : VIEWS[section]();
  main.replaceChildren(
    make("h1", { tabindex: -1 }, heading),
    ...[data.problem ? make("p", { class: "problem", role: "alert" }, data.problem) : null,
      data.left_off ? make("p", { class: "quiet" }, word("left_off")) : null].filter(Boolean),
    ...view.filter((one) => one !== null));
  if (moved) {
    main.querySelector("h1").focus();
    window.scrollTo(0, 0);
    return;
  }
  for (const summary of document.querySelectorAll("details > summary")) {
    if (wasOpen.includes(summary.dataset.focus)) summary.parentElement.open = true;
  }
  if (held) {
    const again = document.querySelector(`[data-focus="${CSS.escape(held)}"]`);
    again?.focus({ preventScroll: true });
    if (typeof caret === "number" && again?.type === "search") again.setSelectionRange(caret, caret);
  }
}

async function refresh(tag) {
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  let now = tag;
  for (;;) {
    await wait(document.hidden ? 15000 : 2000);
    try {
      const answer = await fetch("data.json", { cache: "no-store", headers: now ? { "If-None-Match": now } : {} });
      if (answer.status === 200) {
        const plots = JSON.stringify(data.plots);
        data = { ...(await answer.json()), live: true, drawn: data.drawn };
        now = answer.headers.get("ETag");
        stale = JSON.stringify(data.plots) !== plots || stale;
        note = word("refreshed", time(data.at));
        draw();
      } else if (answer.status !== 304) throw new Error(String(answer.status));
      else if (note === word("gone")) { note = word("refreshed", time(data.at)); draw(); }
    } catch {
      if (note !== word("gone")) { note = word("gone"); draw(); }
    }
  }
}

if (["dark", "light"].includes(kept.get("provision-scheme"))) document.documentElement.dataset.scheme = kept.get("provision-scheme");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); document.querySelector("h1").focus(); });
addEventListener("hashchange", () => draw({ moved: true }));
draw();
if (data.live) refresh(null);
