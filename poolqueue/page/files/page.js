// What is shown and when: reads the address, asks for what it names, and draws it.

import { draw, forecasts, outcomes, pools, teams, timeline } from "./overview.js";
import { drawLife, job } from "./job.js";
import { h, shown, update } from "./dom.js";
import { ask, Live, Refused } from "./live.js";
import { queue } from "./queue.js";
import { clock, count, now, plural, span, time } from "./words.js";

const main = document.getElementById("main");
const COLOURS = 8;
const TYPING_MILLISECONDS = 250;

const SECTIONS = [["pools", "Pools"], ["timeline", "Timeline"], ["queue", "Queue"], ["teams", "Teams"], ["forecasts", "Forecasts"], ["outcomes", "Outcomes"]];

const options = { span: "auto", isTableOpen: false, page: 1, team: "", reason: "", text: "", until: "" };
let route = readRoute();
let drawn = null; // what the last look found
let estimates = null;
let isFresh = true; // this route was not drawn yet

// --- where we are

function readRoute() {
  const [, kind, ...rest] = location.hash.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return ""; } });
  if (kind === "job" && rest.length === 2) return { kind, team: rest[0], job: rest[1] };
  if (kind === "resource" && rest.length === 1) return { kind, name: rest[0] };
  return { kind: "resource", name: "" };
}

addEventListener("hashchange", () => {
  const before = route;
  route = readRoute();
  if (route.kind === "resource" && before.kind === "resource" && route.name !== before.name) Object.assign(options, { page: 1, team: "", reason: "", text: "", until: "" });
  isFresh = true;
  live.wake();
});

// --- looking

async function look() {
  return route.kind === "job" ? lookAtJob(route) : lookAtResource(route);
}

const query = (fields) => new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== "")).toString();

const queueOf = (name) => {
  const { page, team, reason, text } = options;
  return `api/queue?${query({ name, page, team, reason, text })}`;
};

async function lookAtResource(at) {
  const overview = await ask("api/overview");
  const resources = overview.told.resources;
  const name = at.name || busiest(resources);
  document.getElementById("installation").textContent = shown(overview.told.installation);
  if (!name) {
    show({ kind: "empty", overview: overview.told });
    return overview.readAt;
  }
  const { until } = options, before = choices;
  let found;
  try {
    found = await Promise.all([
      ask(`api/resource?${query({ name })}`),
      ask(queueOf(name)),
      ask(`api/outcomes${until ? `?${query({ until })}` : ""}`),
    ]);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      show({ kind: "missing", problem: error.problem });
      return overview.readAt;
    }
    throw error;
  }
  if (route !== at || choices !== before) return null; // somebody has chosen another part of the queue meanwhile
  const [detail, waiting, ended] = found;
  show({ kind: "resource", name, overview: overview.told, detail: detail.told, waiting: waiting.told, ended: ended.told });
  if (waiting.told.jobs.length) foretell(name, at);
  return Math.min(overview.readAt, detail.readAt, waiting.readAt);
}

// Estimates may take seconds to work out: what else there is does not wait for them.
async function foretell(name, at) {
  try {
    const found = await ask(`api/estimates?${query({ name })}`);
    if (route !== at) return;
    estimates = found.told;
    if (drawn?.kind === "resource") render();
  } catch {
    // The next look asks again, and tells if nothing answers.
  }
}

async function lookAtJob(at) {
  try {
    const [found, overview] = await Promise.all([ask(`api/job?${query({ team: at.team, job_id: at.job })}`), ask("api/overview")]);
    if (route !== at) return null;
    document.getElementById("installation").textContent = shown(overview.told.installation);
    show({ kind: "job", told: found.told, overview: overview.told });
    return found.readAt;
  } catch (error) {
    if (!(error instanceof Refused) || ![400, 404].includes(error.status)) throw error;
    show({ kind: "missing", problem: error.problem });
    return now();
  }
}

const busiest = (resources) => [...resources].sort((a, b) => b.waiting + b.holding - a.waiting - a.holding)[0]?.name ?? "";

// --- drawing

function show(found) {
  drawn = found;
  if (found.kind === "resource" && estimates && estimates.name !== found.name) estimates = null;
  render();
}

// The same colour for a team wherever it is shown, by its place in the settings.
function colours(overview) {
  const known = new Map(overview.teams.map((team, at) => [team, at % COLOURS]));
  return (team) => known.get(team) ?? [...String(team)].reduce((sum, sign) => sum + sign.codePointAt(0), 0) % COLOURS;
}

function render() {
  const before = isFresh;
  isFresh = false;
  sections(drawn.kind === "resource");
  switch (drawn.kind) {
    case "resource": renderResource(); break;
    case "job": renderJob(); break;
    case "missing": update(main, h("p", { class: "back" }, h("a", { href: "#/" }, "← Back")), h("h1", { id: "title", tabindex: "-1" }, "Not here"),
      h("p", null, shown(drawn.problem?.problem ?? ""), ": ", h("code", null, shown(drawn.problem?.value ?? "")))); break;
    default: update(main, h("h1", { id: "title", tabindex: "-1" }, "Nothing to show yet"), h("p", { class: "quiet" }, "No persistent resource is known: the first job request that names one makes it known."));
  }
  if (before) {
    document.title = `${drawn.kind === "job" ? `${shown(drawn.told.job_id)} · ` : drawn.kind === "resource" ? `${shown(drawn.detail.id)} · ` : ""}Pool Queue`;
    if (seenBefore) { scrollTo({ top: 0, behavior: "instant" }); document.getElementById("title")?.focus({ preventScroll: true }); }
    seenBefore = true;
  }
}
let seenBefore = false;

function renderResource() {
  const { overview, detail, waiting, ended, name } = drawn;
  const colour = colours(overview);
  update(main,
    h("h1", { id: "title", tabindex: "-1" }, shown(detail.id), " ", h("span", { class: "headline" }, headline(detail))),
    section("pools", "Pools now", h("div", { class: "resources" }, pools(overview, name, colour))),
    section("timeline", "Who held it, who holds it, who is next", timeline(detail, options, colour)),
    section("queue", `Queue: ${plural(waiting.waiting, "job waits", "jobs wait")}${waiting.held ? `, ${count(waiting.held)} held` : ""}`, queue(detail, waiting, estimates, options, overview.teams)),
    section("teams", "Teams", teams(detail, colour)),
    section("forecasts", "How good forecasts have been", forecasts(detail)),
    section("outcomes", "Recent outcomes", outcomes(ended, Boolean(options.until))));
  draw(main, detail, options, colour);
}

function headline(detail) {
  const taken = detail.pools.reduce((sum, pool) => sum + pool.reserved + pool.foreign + pool.surplus, 0);
  const capacity = detail.pools.reduce((sum, pool) => sum + pool.capacity, 0);
  return `${count(taken)} of ${count(capacity)} replicas in use, ${plural(detail.holding, "job holds", "jobs hold")} them, ${plural(detail.waiting, "job waits", "jobs wait")}`;
}

const section = (id, title, content, className) => h("section", { id, "aria-labelledby": `${id}-title`, "data-key": id, class: className ?? null },
  h("h2", { id: `${id}-title`, tabindex: "-1" }, title), content);

function renderJob() {
  const colour = colours(drawn.overview);
  update(main, job(drawn.told, colour));
  drawLife(main, drawn.told, colour);
}

function sections(isShown) {
  update(document.getElementById("sections"), isShown ? h("ul", null, SECTIONS.map(([id, name]) => h("li", null, h("a", { href: `#${id}`, "data-go": id }, name)))) : []);
}

// --- what people do

document.addEventListener("click", (event) => {
  const going = event.target.closest("[data-go]");
  if (going) {
    event.preventDefault();
    const target = document.getElementById(going.dataset.go);
    target?.scrollIntoView();
    (target === main ? main : target?.querySelector("h2"))?.focus({ preventScroll: true });
    return;
  }
  const bar = event.target.closest("[data-job]");
  if (bar) { location.hash = bar.dataset.job; return; }
  const acting = event.target.closest("button[data-do]");
  if (acting) act(acting.dataset);
});

function act(asked) {
  switch (asked.do) {
    case "page": choose({ page: Number(asked.page) }, true); break;
    case "reason": choose({ reason: options.reason === asked.reason ? "" : asked.reason, page: 1 }, true); break;
    case "older": choose({ until: asked.until }); break;
    case "newest": choose({ until: "" }); break;
    default:
  }
}

document.addEventListener("change", (event) => {
  switch (event.target.dataset.do) {
    case "span": options.span = event.target.value; render(); break;
    case "team": choose({ team: event.target.value, page: 1 }, true); break;
    default:
  }
});

document.addEventListener("toggle", (event) => {
  if (event.target.dataset?.do !== "as-table") return;
  options.isTableOpen = event.target.open;
  render();
}, true);

let typing = null;
document.addEventListener("input", (event) => {
  if (event.target.dataset.do !== "text") return;
  clearTimeout(typing);
  typing = setTimeout(() => choose({ text: event.target.value.trim(), page: 1 }, true), TYPING_MILLISECONDS);
});
document.addEventListener("submit", (event) => event.preventDefault());

// Another part of the queue: asked for at once, and told to who cannot see it.
async function choose(changes, isQueue = false) {
  Object.assign(options, changes);
  if (!isQueue || drawn?.kind !== "resource") {
    live.run();
    return;
  }
  const choice = (choices += 1);
  try {
    const { told } = await ask(queueOf(drawn.name));
    if (choice !== choices || drawn?.kind !== "resource" || drawn.name !== told.name) return;
    drawn = { ...drawn, waiting: told };
    render();
    const pages = told.pages > 1 ? `, page ${told.page} of ${told.pages}` : "";
    announce(`${plural(told.found, "job", "jobs")} found${pages}`);
  } catch {
    live.run(); // which tells what is wrong, and tries again
  }
}
let choices = 0;

function announce(text) {
  const place = document.getElementById("announcement");
  if (place.textContent !== text) place.textContent = text;
}

// --- how old it is

let wasUp = true;
function tell(state) {
  const place = document.getElementById("live");
  place.dataset.state = state.isUp ? "up" : "down";
  document.body.dataset.live = state.isUp ? "up" : "down";
  tellAge(state);
  const warning = document.getElementById("warning");
  warning.hidden = state.isUp;
  if (state.isUp) {
    if (!wasUp) announce("Connected again; what is shown is fresh.");
  } else {
    const since = clock(state.since, true);
    const old = state.readAt ? `What you see is from ${clock(state.readAt, true)} and may have changed.` : "Nothing was read yet.";
    warning.textContent = `No answer since ${since}: ${state.why}. ${old} It is tried again by itself.`;
    if (wasUp) announce(warning.textContent);
    if (!drawn) update(main, h("p", { class: "loading" }, "Nothing could be read yet."));
  }
  wasUp = state.isUp;
}

function tellAge(state) {
  const text = document.getElementById("live-text");
  if (!state.readAt) { if (!state.isUp) text.textContent = "no connection"; return; }
  const age = span(now() - state.readAt);
  text.textContent = state.isUp ? `live, read ${age} ago` : `not live: ${age} old`;
}

setInterval(() => {
  if (document.hidden) return;
  tellAge(live.state);
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = element.dataset.words.replace("#", span(now() - time(element.dataset.since)));
    if (element.textContent !== text) element.textContent = text;
  }
}, 1000);

let resizing = null;
new ResizeObserver(() => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => {
    if (drawn?.kind === "resource") draw(main, drawn.detail, options, colours(drawn.overview));
    if (drawn?.kind === "job") drawLife(main, drawn.told, colours(drawn.overview));
  });
}).observe(main);

document.getElementById("zone").textContent = ` (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;

const live = new Live(look, tell);
live.run();
