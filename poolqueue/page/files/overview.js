// The sections about a persistent resource, but for its queue: pools, chart, teams, forecasts, outcomes.

import { asTable, drawing, SPANS, windowOf } from "./chart.js";
import { h, shown, svg } from "./dom.js";
import { table } from "./tables.js";
import { clock, count, full, inWords, jobLink, now, percent, plural, shares, span, time } from "./words.js";

const OLD_SECONDS = 90; // nothing is admitted on an older look at Vertex AI

// --- pools now

export function pools(overview, chosen, colour) {
  return overview.resources.map((resource) => h("article", {
      class: `resource${resource.name === chosen ? " chosen" : ""}`, "data-key": resource.name },
    h("h3", null, h("a", { href: `#/resource/${encodeURIComponent(resource.name)}`, "aria-current": resource.name === chosen ? "true" : null }, shown(resource.id)),
      " ", state(resource)),
    h("p", { class: "quiet" }, `${shown(resource.project)}, ${shown(resource.location)} · `, seen(resource)),
    resource.drained && warning("Drained", resource.drained),
    resource.pools.length === 0 && h("p", { class: "quiet" }, "Its pools are not known yet: the first job, or a sweep, asks for them."),
    resource.pools.map((pool) => occupancy(pool, colour)),
    h("p", { class: "sum" }, h("strong", null, count(resource.holding)), ` ${resource.holding === 1 ? "job holds" : "jobs hold"} replicas, `,
      h("strong", null, count(resource.waiting)), ` ${resource.waiting === 1 ? "waits" : "wait"}`)));
}

function state(resource) {
  const good = resource.state === "RUNNING";
  return h("span", { class: `chip ${good ? "good" : "bad"}` }, good ? "" : "⚠ ", shown(resource.state));
}

function seen(resource) {
  if (!resource.observed_at) return h("span", null, "Vertex AI has not been asked yet");
  const age = now() - time(resource.observed_at);
  const text = `Vertex AI seen ${span(age)} ago`;
  return h("span", { class: age > OLD_SECONDS * 1000 ? "bad-text" : null, "data-since": resource.observed_at, "data-words": "Vertex AI seen # ago" }, text);
}

const warning = (what, drain) => h("p", { class: "note-warning" }, `⚠ ${what} by ${shown(drain.author)} `,
  h("span", { "data-since": drain.at, "data-words": "# ago" }, `${span(now() - time(drain.at))} ago`), `: ${drain.reason}`);

function occupancy(pool, colour) {
  const taken = pool.reserved + pool.foreign + pool.surplus;
  const whole = Math.max(pool.capacity, taken, 1);
  const parts = [
    ...pool.teams.map((each) => ({ class: `team-${colour(each.team)}`, name: shown(each.team), n: each.replicas })),
    { class: "others", name: "other jobs", n: pool.foreign },
    { class: "surplus", name: "not explained", n: pool.surplus },
  ].filter((each) => each.n > 0);
  const sum = `${count(taken)} of ${count(pool.capacity)} replicas in use`;
  const told = `${sum}${parts.length ? `: ${parts.map((each) => `${each.name} ${count(each.n)}`).join(", ")}` : ""}`;
  return h("div", { class: "pool", "data-key": pool.name },
    h("div", { class: "pool-head" }, h("h4", null, pool.name), h("span", { class: "quiet machine" }, pool.machine),
      h("span", { class: "pool-number" }, h("strong", null, count(taken)), ` / ${count(pool.capacity)}`)),
    h("div", { class: "meter", role: "img", "aria-label": told, title: told },
      cells(parts, whole, pool.capacity)),
    pool.drained && warning("Drained", pool.drained),
    pool.left_alone_until && time(pool.left_alone_until) > now() &&
      h("p", { class: "note-warning" }, `⚠ Left alone until ${clock(time(pool.left_alone_until), true)}: Vertex AI refused a job`));
}

// An SVG takes widths in percent without a style of its own, which the page's policy forbids.
function cells(parts, whole, capacity) {
  let at = 0;
  const fills = parts.map((part) => {
    const x = at, width = (part.n / whole) * 100;
    at += width;
    return svg("rect", { class: `fill ${part.class}`, x: `${x}%`, y: 0, width: `${width}%`, height: "100%" });
  });
  const borders = capacity > 60 ? [] : Array.from({ length: whole - 1 }, (_, n) => `${((n + 1) / whole) * 100}%`);
  return svg("svg", { "aria-hidden": "true" },
    svg("rect", { class: "free", x: 0, y: 0, width: "100%", height: "100%" }), fills,
    borders.map((x) => svg("line", { x1: x, x2: x, y1: 0, y2: "100%" })));
}

// --- the chart

export function timeline(detail, options, colour) {
  const shownWindow = windowOf(detail.charts, options.span);
  const teams = [...new Set(detail.charts.flatMap((chart) => chart.bars.map((bar) => bar.team)))].filter(Boolean).sort();
  const hidden = detail.history_since && time(detail.history_since) > shownWindow.from;
  return [
    h("fieldset", { class: "spans" }, h("legend", { class: "unseen" }, "How far back"),
      SPANS.map((each) => h("label", null,
        h("input", { type: "radio", name: "span", value: each.key, checked: each.key === options.span, "data-do": "span" }),
        h("span", null, each.key === "auto" && options.span === "auto" ? `Auto (${shownWindow.span.name})` : each.name)))),
    detail.charts.length === 0 && h("p", { class: "quiet" }, "No pools are known yet."),
    detail.charts.map((chart) => h("figure", { "data-key": chart.pool },
      h("figcaption", null, h("strong", null, chart.pool), ` · ${plural(chart.capacity, "replica", "replicas")}, a row each`,
        chart.rows > chart.capacity ? " (below the line: more than the pool has, as it is known)" : ""),
      h("div", { class: "drawing", "data-drawn": "chart", "data-pool": chart.pool }))),
    h("ul", { class: "legend", "aria-label": "Legend" },
      teams.map((team) => h("li", null, h("span", { class: `swatch team-${colour(team)}`, "aria-hidden": "true" }), shown(team))),
      h("li", null, h("span", { class: "swatch rest", "aria-hidden": "true" }), "runs on, as expected"),
      h("li", null, h("span", { class: "swatch planned", "aria-hidden": "true" }), "waits, and is expected then"),
      h("li", null, h("span", { class: "swatch others", "aria-hidden": "true" }), "other jobs, not from the queue"),
      h("li", null, h("span", { class: "mark", "aria-hidden": "true" }, "✕"), "ended badly"),
      h("li", null, h("span", { class: "mark", "aria-hidden": "true" }, "‹"), "requeued")),
    h("p", { class: "quiet" }, "What is expected takes every run to last as long as similar ones did, and nothing else to arrive. Choose a bar to see its job.",
      hidden && ` What ended before ${clock(time(detail.history_since))} is not shown: only the latest 500 are read.`),
    h("details", { "data-key": "as-table", "data-do": "as-table" }, h("summary", null, "The chart as a table"),
      options.isTableOpen && asTable(detail.charts, shownWindow)),
  ];
}

export function draw(root, detail, options, colour) {
  const shownWindow = windowOf(detail.charts, options.span);
  for (const place of root.querySelectorAll("[data-drawn=chart]")) {
    const chart = detail.charts.find((each) => each.pool === place.dataset.pool);
    const width = place.clientWidth;
    if (!chart || !width || isDrawn(place, { detail, width, shownWindow })) continue;
    const running = chart.bars.filter((bar) => bar.kind === "running" || bar.kind === "starting").length;
    const planned = chart.bars.filter((bar) => bar.kind === "planned").length;
    place.replaceChildren(drawing(chart, shownWindow, width, colour, {
      title: `Who held and holds pool ${chart.pool}`,
      description: `From ${clock(shownWindow.from)} to ${clock(shownWindow.to)}. ${plural(running, "job", "jobs")} hold replicas now, ${planned} are expected to start. A table with the same follows.`,
    }));
  }
}

// Is the drawing there already, and not a pixel late?
function isDrawn(place, wanted) {
  const { detail, width, shownWindow } = drawings.get(place) ?? {};
  const late = shownWindow && ((wanted.shownWindow.now - shownWindow.now) / (shownWindow.to - shownWindow.from)) * width;
  if (detail === wanted.detail && width === wanted.width && shownWindow.span === wanted.shownWindow.span && late < 1) return true;
  drawings.set(place, wanted);
  return false;
}
const drawings = new WeakMap();

// --- teams

export function teams(detail, colour) {
  const pools = [...new Set(detail.teams.flatMap((team) => team.pools.map((each) => each.pool)))];
  return [
    h("p", { class: "lead" }, "At equal priority, the team that has used least of its share is considered first."),
    table({
      caption: "Teams, their shares and what they use",
      columns: [{ name: "Team" }, { name: "Share, and use lately", class: "wide" }, { name: "Waiting", class: "number" },
        ...pools.map((pool) => ({ name: `Holds of ${pool}`, class: "number" }))],
      rows: detail.teams.map((team) => ({
        key: team.name, head: 0,
        cells: [
          [h("span", { class: `swatch team-${colour(team.name)}`, "aria-hidden": "true" }), shown(team.name)],
          shareBar(team, colour),
          count(team.waiting),
          ...pools.map((pool) => quota(team.pools.find((each) => each.pool === pool))),
        ],
      })),
    }),
  ];
}

function shareBar(team, colour) {
  return h("div", { class: "share-cell" },
    partBar("share", `team-${colour(team.name)}`, team.used, team.share),
    h("span", null, `used ${percent(team.used)}, share ${percent(team.share)}`));
}

// A part of a whole, and a mark where it ought to be.
function partBar(name, fill, part, target) {
  return svg("svg", { class: name, "aria-hidden": "true" },
    svg("rect", { class: "free", x: 0, y: 4, width: "100%", height: 10 }),
    svg("rect", { class: `fill ${fill}`, x: 0, y: 4, width: percent(part), height: 10 }),
    svg("line", { class: "target", x1: percent(target), x2: percent(target), y1: 0, y2: 18 }));
}

function quota(pool) {
  if (!pool) return "–";
  const limits = [pool.guaranteed ? `${count(pool.guaranteed)} guaranteed` : "", pool.maximum !== null ? `at most ${count(pool.maximum)}` : ""].filter(Boolean);
  return [count(pool.held), limits.length > 0 && h("span", { class: "quiet" }, ` (${limits.join(", ")})`)];
}

// --- forecasts

export function forecasts(detail) {
  const { latest, open, overdue } = detail.accuracy;
  if (!latest) {
    return h("p", { class: "quiet" }, "No forecast was scored yet. A job that waits at a sweep is forecast once five similar runs have ended, and scored when it starts.",
      open > 0 && ` ${plural(open, "forecast is", "forecasts are")} open.`);
  }
  return [
    h("p", { class: "lead" }, "Every waiting job is told two times: by the first it starts with even chances, by the second with nine chances in ten. Of the ",
      `latest ${plural(latest.scored, "forecast", "forecasts")}:`),
    h("div", { class: "coverages" },
      coverage("started by the first time", latest.coverage_p50, 0.5),
      coverage("started by the second time", latest.coverage_p90, 0.9)),
    h("p", { class: "quiet" }, `In the median the first time was off by ${span(latest.median_error_seconds * 1000)}. `,
      `${plural(open, "forecast is", "forecasts are")} open`, overdue > 0 ? `, ${count(overdue)} of them overdue.` : "."),
  ];
}

function coverage(what, part, target) {
  return h("div", { class: "coverage" }, h("p", null, h("strong", null, percent(part)), ` ${what}`),
    partBar("coverage-bar", "covered", part, target), h("p", { class: "quiet" }, `ought to be about ${percent(target)}`));
}

// --- outcomes

export function outcomes(told, isOlder) {
  if (!told.jobs.length) return h("p", { class: "quiet" }, "Nothing has ended yet.");
  return [
    table({
      caption: "Jobs that ended, the latest first",
      columns: [{ name: "Job" }, { name: "Team" }, { name: "Outcome" }, { name: "Ended" }, { name: "Waited", class: "number" },
        { name: "Ran", class: "number" }, { name: "Where" }, { name: "What was said", class: "wide" }],
      rows: told.jobs.map((job) => ({
        key: `${job.team}.${job.job_id}`, head: 0,
        cells: [
          h("a", { href: jobLink(job.team, job.job_id) }, shown(job.job_id)),
          shown(job.team),
          outcome(job.outcome),
          job.ended ? h("time", { datetime: job.ended, title: full(time(job.ended)) }, clock(time(job.ended))) : "–",
          job.arrived ? span((time(job.started) ?? time(job.ended)) - time(job.arrived)) : "–",
          job.started && job.ended ? span(time(job.ended) - time(job.started)) : "never ran",
          shares(job.pools),
          h("span", { class: "cut", title: job.error || null }, job.error || inWords(job.reason)),
        ],
      })),
    }),
    h("p", { class: "pager" },
      isOlder && h("button", { type: "button", "data-do": "newest" }, "Newest"),
      told.older && h("button", { type: "button", "data-do": "older", "data-until": told.older }, "Older")),
  ];
}

export function outcome(word) {
  const sign = { succeeded: "✓", cancelled: "–" }[word] ?? "✕";
  const kind = { succeeded: "good", cancelled: "even" }[word] ?? "bad";
  return h("span", { class: `chip ${kind}` }, `${sign} ${inWords(word)}`);
}
