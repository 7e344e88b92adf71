// Draws who held, holds and is to get the replicas of a pool: time from left to right, a row per replica.

import { h, shown, svg } from "./dom.js";
import { clock, full, inWords, jobLink, now, plural, span, time } from "./words.js";

export const SPANS = [
  { key: "auto", name: "Auto" },
  { key: "5m", name: "5 min", minutes: 5 },
  { key: "15m", name: "15 min", minutes: 15 },
  { key: "30m", name: "30 min", minutes: 30 },
  { key: "1h", name: "1 h", minutes: 60 },
  { key: "6h", name: "6 h", minutes: 360 },
  { key: "24h", name: "24 h", minutes: 1440 },
  { key: "3d", name: "3 d", minutes: 4320 },
];
const PAST_PART = 0.62;
const HEIGHT = 300, LEAST_ROW = 2, MOST_ROW = 30, AXIS = 26, TOP = 18;
const LEAST_WIDTH = 2, LABEL_WIDTH = 30, LABEL_HEIGHT = 11;
const STEPS = [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440]; // minutes between marks
const MARK_WIDTH = 76;
const CHARACTER = 6.2;

// The window of time that is drawn: so much before now, and part of that after.
export function windowOf(charts, key) {
  const chosen = SPANS.find((each) => each.key === key && each.minutes) ?? automatic(charts);
  const before = chosen.minutes * 60e3, at = now();
  return { from: at - before, to: at + (before * (1 - PAST_PART)) / PAST_PART, now: at, span: chosen };
}

// The shortest in which most of what is known fits, so that a quiet day is no bar at the edge.
function automatic(charts) {
  const at = now(), spans = SPANS.filter((each) => each.minutes);
  const bars = charts.flatMap((chart) => chart.bars).filter((bar) => bar.start);
  const reach = bars
    .map((bar) => Math.max(at - time(bar.start), ((time(bar.end) ?? at) - at) * PAST_PART / (1 - PAST_PART)))
    .sort((a, b) => a - b);
  if (!reach.length) return spans.at(-4);
  const most = reach[Math.floor((reach.length - 1) * 0.8)];
  return spans.find((each) => each.minutes * 60e3 >= most) ?? spans.at(-1);
}

export function kindInWords(bar) {
  switch (bar.kind) {
    case "ended": return inWords(bar.outcome);
    case "requeued": return `requeued${bar.reason ? `: ${inWords(bar.reason)}` : ""}`;
    case "starting": return "holds replicas, starts";
    case "running": return "running";
    case "planned": return "expected";
    default: return "other jobs";
  }
}

export function told(bar) {
  if (bar.kind === "others") return `${plural(bar.replicas, "replica", "replicas")} in use by jobs that did not come through the queue`;
  const from = clock(time(bar.start), true), to = clock(time(bar.end), true);
  const length = span(time(bar.end) - time(bar.start));
  const verb = { running: `since ${from}, expected to end about ${to}`, starting: `since ${from}, expected to end about ${to}`,
    planned: `expected from about ${from} to ${to}` }[bar.kind] ?? `${from} to ${to}, ${length}`;
  return `${shown(bar.job_id)} of team ${shown(bar.team)}, ${plural(bar.replicas, "replica", "replicas")}: ${kindInWords(bar)}, ${verb}`;
}

// The drawing as an element, for a place of that width; `colour` tells a team's number.
export function drawing(chart, shownWindow, width, colour, { title, description }) {
  const row = Math.max(LEAST_ROW, Math.min(MOST_ROW, HEIGHT / Math.max(1, chart.rows)));
  const inside = row * Math.max(1, chart.rows), height = TOP + inside + AXIS;
  const x = (at) => ((at - shownWindow.from) / (shownWindow.to - shownWindow.from)) * width;
  const id = `chart-${title.replace(/\W+/g, "-")}`;
  const here = x(shownWindow.now);
  return svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-labelledby": `${id}-t ${id}-d`, focusable: "false" },
    svg("title", { id: `${id}-t` }, title),
    svg("desc", { id: `${id}-d` }, description),
    hatching(id),
    svg("rect", { class: "past", x: 0, y: TOP, width: here, height: inside }),
    svg("rect", { class: "future", x: here, y: TOP, width: Math.max(0, width - here), height: inside }),
    lines(chart, row, width),
    marks(shownWindow, width, x, inside),
    chart.bars.map((bar) => drawn(bar, chart, { x, row, width, here, id, colour, shownWindow })),
    chart.rows > chart.capacity && svg("line", { class: "capacity", x1: 0, x2: width, y1: TOP + chart.capacity * row, y2: TOP + chart.capacity * row }),
    svg("line", { class: "now", x1: here, x2: here, y1: TOP - 4, y2: TOP + inside + 4 }),
    svg("text", { class: "now-text", x: here, y: TOP - 7, "text-anchor": "middle" }, "now"),
    width > 420 && svg("text", { class: "side", x: here - 24, y: TOP - 7, "text-anchor": "end" }, "← who held it"),
    width > 420 && svg("text", { class: "side", x: here + 24, y: TOP - 7 }, "what is expected →"));
}

function hatching(id) {
  const strokes = svg("path", { class: "hatch", d: "M-2,8 L8,-2 M2,12 L12,2" });
  return svg("defs", null, svg("pattern", { id: `${id}-others`, width: 10, height: 10, patternUnits: "userSpaceOnUse" },
    svg("rect", { class: "hatched", width: 10, height: 10 }), strokes));
}

function lines(chart, row, width) {
  if (row < 8) return null;
  return svg("g", { class: "rows" }, Array.from({ length: chart.rows - 1 }, (_, n) =>
    svg("line", { x1: 0, x2: width, y1: TOP + (n + 1) * row, y2: TOP + (n + 1) * row })));
}

function marks(shownWindow, width, x, inside) {
  const minutes = (shownWindow.to - shownWindow.from) / 60e3;
  const step = (STEPS.find((each) => (each / minutes) * width >= MARK_WIDTH) ?? 1440) * 60e3;
  const zone = new Date(shownWindow.now).getTimezoneOffset() * 60e3;
  const first = Math.ceil((shownWindow.from - zone) / step) * step + zone;
  const found = [];
  for (let at = first; at < shownWindow.to; at += step) found.push(at);
  return svg("g", { class: "marks" }, found.map((at) => svg("g", null,
    svg("line", { x1: x(at), x2: x(at), y1: TOP, y2: TOP + inside }),
    svg("text", { x: x(at), y: TOP + inside + 17, "text-anchor": x(at) < 20 ? "start" : x(at) > width - 24 ? "end" : "middle" }, clock(at, step < 60e3)))));
}

function drawn(bar, chart, place) {
  const { shownWindow: shownTime } = place;
  const start = bar.start ? time(bar.start) : shownTime.now, end = bar.end ? time(bar.end) : shownTime.to;
  if (end < shownTime.from || start > shownTime.to) return null;
  const left = Math.max(-3, place.x(start)), right = Math.min(place.width + 3, Math.max(place.x(end), left + LEAST_WIDTH));
  const group = svg("g", { class: `bar ${bar.kind} team-${place.colour(bar.team)}`, "data-job": bar.job_id ? jobLink(bar.team, bar.job_id) : null },
    svg("title", null, told(bar)));
  bar.blocks.forEach(([first, rows], at) => group.append(...block(bar, { left, right, top: TOP + first * place.row, height: rows * place.row, isFirst: at === 0 }, place)));
  return group;
}

function block(bar, { left, right, top, height, isFirst }, place) {
  const gap = height > 6 ? 1 : height > 3 ? 0.5 : 0;
  const box = { y: top + gap, height: Math.max(1, height - 2 * gap), rx: Math.min(3, height / 4) };
  const parts = [];
  const runs = bar.kind === "running" || bar.kind === "starting";
  const solid = runs ? Math.min(right, Math.max(place.here, left + LEAST_WIDTH)) : right;
  if (bar.kind === "others") parts.push(svg("rect", { ...box, class: "foreign", x: left, width: right - left, fill: `url(#${place.id}-others)` }));
  else parts.push(svg("rect", { ...box, class: "fill", x: left, width: Math.max(LEAST_WIDTH, solid - left) }));
  if (runs && right - solid > 1) parts.push(svg("rect", { ...box, class: "rest", x: solid, width: right - solid }));
  if (isMarked(bar)) parts.push(end(bar, right, top, height));
  const label = labelled(bar, { left: Math.max(0, left), solid: Math.min(solid, place.width), right: Math.min(right, place.width) }, top, height);
  if (label && isFirst) parts.push(label);
  return parts;
}

const isMarked = (bar) => (bar.kind === "ended" && bar.outcome !== "succeeded") || bar.kind === "requeued";

// Ended badly, or requeued: a mark that does not rest on colour.
function end(bar, right, top, height) {
  const size = Math.min(4, height / 3), x = right - size - 2, y = top + height / 2;
  if (height < 6) return svg("rect", { class: "bad", x: right - 2, y: top, width: 2, height });
  const d = bar.kind === "requeued"
    ? `M${x + size},${y - size} L${x - size},${y} L${x + size},${y + size}`
    : `M${x - size},${y - size} L${x + size},${y + size} M${x + size},${y - size} L${x - size},${y + size}`;
  return svg("path", { class: "bad-mark", d });
}

function labelled(bar, { left, solid, right }, top, height) {
  if (height < LABEL_HEIGHT) return null;
  const text = bar.kind === "others" ? `others ×${bar.replicas}` : shown(bar.job_id);
  const isSolid = bar.kind !== "planned" && bar.kind !== "others";
  const room = solid - left;
  const fitsInside = !isSolid || room >= Math.min(LABEL_WIDTH, text.length * CHARACTER + 8);
  const from = fitsInside ? left : solid, to = (fitsInside ? (isSolid ? solid : right) : right) - (isMarked(bar) ? 10 : 0);
  const characters = Math.floor((to - from - 9) / CHARACTER);
  if (characters < 2) return null;
  const cut = text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
  return svg("text", { class: fitsInside && isSolid ? "on-bar" : "on-page", x: from + 5, y: top + height / 2 + 4 }, cut);
}

// The same as a table, for who cannot see the drawing, or wants to copy from it.
export function asTable(charts, shownWindow, most = 200) {
  const rows = charts.flatMap((chart) => chart.bars.map((bar) => ({ pool: chart.pool, bar })))
    .filter(({ bar }) => (!bar.end || time(bar.end) >= shownWindow.from) && (!bar.start || time(bar.start) <= shownWindow.to))
    .sort((a, b) => (time(a.bar.start) ?? 0) - (time(b.bar.start) ?? 0));
  const cut = rows.slice(-most);
  return [
    rows.length > cut.length && h("p", { class: "quiet" }, `The latest ${most} of ${rows.length}.`),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Stays as a table" },
      h("table", { class: "plain" },
        h("caption", { class: "unseen" }, "Who held, holds and is expected to hold replicas"),
        h("thead", null, h("tr", null, ["Pool", "Job", "Team", "Replicas", "From", "To", "What"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", null, cut.map(({ pool, bar }) => h("tr", null,
          h("td", null, pool),
          h("th", { scope: "row" }, bar.job_id ? h("a", { href: jobLink(bar.team, bar.job_id) }, shown(bar.job_id)) : "other jobs"),
          h("td", null, shown(bar.team)),
          h("td", { class: "number" }, bar.replicas),
          h("td", null, bar.start ? h("time", { datetime: bar.start, title: full(time(bar.start)) }, clock(time(bar.start), true)) : "not known"),
          h("td", null, bar.end ? h("time", { datetime: bar.end, title: full(time(bar.end)) }, clock(time(bar.end), true)) : "not known"),
          h("td", null, kindInWords(bar))))))),
  ];
}
