// One job: where it is, why it waits, its attempts, and its history.

import { h, shown, svg } from "./dom.js";
import { outcome } from "./overview.js";
import { table } from "./tables.js";
import { clock, count, full, inWords, now, plural, shares, span, time } from "./words.js";

const LIFE_HEIGHT = 26;

export function job(told, colour) {
  const resource = told.resource.split("/");
  return [
    h("p", { class: "back" }, h("a", { href: `#/resource/${encodeURIComponent(told.resource)}` }, `← ${shown(resource.at(-1))}`)),
    h("h1", { tabindex: "-1", id: "title" }, shown(told.job_id)),
    h("p", { class: "job-line" }, told.outcome ? outcome(told.outcome) : h("span", { class: "chip even" }, inWords(told.state)),
      " of team ", h("strong", null, shown(told.team)), `, priority ${told.priority}, needs ${shares(told.pools)}`,
      told.display_name && told.display_name !== told.job_id ? [" · called “", h("span", { class: "isolate" }, told.display_name), "”"] : null),
    told.array && array(told.array),
    told.error && h("section", { "aria-labelledby": "error-title" }, h("h2", { id: "error-title" }, "What Vertex AI said"), h("pre", { class: "error", tabindex: "0" }, told.error)),
    told.problems.length > 0 && problems(told),
    h("section", { "aria-labelledby": "life-title" }, h("h2", { id: "life-title" }, "Its life"),
      h("div", { class: "drawing", "data-drawn": "life" }), times(told)),
    facts(told),
    attempts(told),
    history(told),
    about(told, resource),
  ];
}

function array({ members, waiting, active, max_parallel: most, ended }) {
  const parts = [[count(members), "members"], [count(waiting), "wait"], [count(active), "hold replicas or are about to"],
    ...Object.entries(ended).map(([word, n]) => [count(n), inWords(word)])];
  return h("p", { class: "job-line" }, "An array: ", parts.map(([n, word], at) => [at > 0 && ", ", h("strong", null, n), ` ${word}`]),
    most !== null && `; at most ${count(most)} at a time`, ".");
}

function times(told) {
  const parts = [["asked for", told.arrived], ["started", told.started], ["ended", told.ended], ["not before", told.not_before], ["ends unless started by", told.ended ? null : told.deadline]];
  return h("dl", { class: "facts times" }, parts.filter(([, at]) => at).map(([word, at]) =>
    h("div", null, h("dt", null, word), h("dd", null, h("time", { datetime: at, title: full(time(at)) }, clock(time(at), true))))));
}

// poolctl explain's own words; lines without a word go on with the one before.
function facts(told) {
  const groups = [];
  for (const [word, text] of told.facts.slice(1)) {
    if (word === "reason" && told.error) continue; // it is told above
    if (word || !groups.length) groups.push([word, [text]]);
    else groups.at(-1)[1].push(text);
  }
  if (!groups.length) return null;
  return h("section", { "aria-labelledby": "why-title" },
    h("h2", { id: "why-title" }, told.state === "queued" || told.state === "held" ? "Why it waits, and what would help" : "What is known"),
    h("dl", { class: "facts" }, groups.map(([word, texts]) => h("div", null, h("dt", null, word), texts.map((text) => h("dd", null, text))))));
}

function problems(told) {
  return h("section", { "aria-labelledby": "problems-title" }, h("h2", { id: "problems-title" }, "Why it was refused"),
    h("ul", { class: "problems" }, told.problems.map((each) => h("li", null, h("code", null, each.path ?? ""), ` ${each.problem ?? ""}`, each.value ? ` (${each.value})` : "", each.remedy ? h("span", { class: "quiet block" }, each.remedy) : null))));
}

function attempts(told) {
  if (!told.attempted.length) return null;
  return h("section", { "aria-labelledby": "attempts-title" }, h("h2", { id: "attempts-title" }, "Attempts"),
    table({
      caption: "Attempts, the first one first",
      columns: [{ name: "Attempt", class: "number" }, { name: "Had replicas from" }, { name: "Ran from" }, { name: "Until" }, { name: "Took", class: "number" }, { name: "How it ended" }],
      rows: told.attempted.map((each, n) => ({
        key: `${each.attempt}-${n}`, head: 0,
        cells: [each.attempt, moment(each.start), moment(each.began), each.end ? moment(each.end) : "still holds them",
          span((time(each.end) ?? now()) - time(each.start)),
          each.outcome ? outcome(each.outcome) : each.kind === "requeued" ? `requeued${each.reason ? `: ${inWords(each.reason)}` : ""}` : "–"],
      })),
    }));
}

const moment = (at) => (at ? h("time", { datetime: at, title: full(time(at)) }, clock(time(at), true)) : "–");

function history(told) {
  return h("section", { "aria-labelledby": "history-title" }, h("h2", { id: "history-title" }, "History"),
    table({
      caption: "Every change of state, the latest first",
      columns: [{ name: "No.", class: "number" }, { name: "When" }, { name: "State" }, { name: "Attempt", class: "number" }, { name: "Why", class: "wide" }],
      rows: [...told.history].reverse().map((each) => ({
        key: each.sequence, head: 0,
        cells: [each.sequence, moment(each.at), each.outcome ? outcome(each.outcome) : inWords(each.state), each.attempt || "–",
          [each.reason && h("strong", { class: "why" }, inWords(each.reason)), each.reason && each.note ? ": " : "", each.note]],
      })),
    }));
}

function about(told, resource) {
  const { custom_job: page, log } = told.links;
  return h("section", { "aria-labelledby": "about-title" }, h("h2", { id: "about-title" }, "What it runs"),
    h("dl", { class: "facts" },
      h("div", null, h("dt", null, "resource"), h("dd", null, shown(resource.at(-1)))),
      told.specs.map((spec, n) => h("div", null, h("dt", null, `spec ${n + 1}`), h("dd", null, `${spec.replicas} × ${spec.image}`))),
      told.custom_job && h("div", null, h("dt", null, "custom job"), h("dd", null, h("code", null, told.custom_job))),
      page && h("div", null, h("dt", null, "in the console"), h("dd", null,
        h("a", { rel: "noreferrer", href: page }, "the custom job"), log && [", ", h("a", { rel: "noreferrer", href: log }, "its log")]))),
    h("p", { class: "quiet" }, "Arguments and environment are not shown: they may hold secrets."));
}

// From the request to now, or to the end: what state it was in, and for how long.
export function drawLife(root, told, colour) {
  const place = root.querySelector("[data-drawn=life]");
  const width = place?.clientWidth;
  if (!width || !told.history.length) return;
  const first = time(told.history[0].at), last = told.ended ? time(told.ended) : now();
  const x = (at) => ((at - first) / Math.max(1, last - first)) * width;
  const parts = told.history.map((each, n) => ({ state: each.state, from: time(each.at), to: n + 1 < told.history.length ? time(told.history[n + 1].at) : last }))
    .filter((part) => part.state !== "ended");
  const totals = {};
  for (const part of parts) totals[part.state] = (totals[part.state] ?? 0) + (part.to - part.from);
  const words = Object.entries(totals).map(([state, length]) => `${inWords(state)} for ${span(length)}`).join(", ");
  place.replaceChildren(svg("svg", { class: "life", width, height: LIFE_HEIGHT, viewBox: `0 0 ${width} ${LIFE_HEIGHT}`, role: "img", "aria-labelledby": "life-t", focusable: "false" },
    svg("title", { id: "life-t" }, words),
    parts.map((part) => svg("g", { class: `part ${part.state} team-${colour(told.team)}` },
      svg("title", null, `${inWords(part.state)} for ${span(part.to - part.from)}`),
      svg("rect", { x: x(part.from), y: 0, width: Math.max(1, x(part.to) - x(part.from) - 1), height: LIFE_HEIGHT, rx: 3 }),
      x(part.to) - x(part.from) > 8 + 7 * (part.state.length + 7) && svg("text", { x: x(part.from) + 7, y: 17 }, `${part.state} ${span(part.to - part.from)}`)))),
    h("p", { class: "quiet" }, `${words}; ${plural(told.history.length, "change", "changes")} of state.`));
}
