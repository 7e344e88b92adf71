// The queue, a page at a time: who waits, in what turn, why, and when each is expected to start.

import { h, shown } from "./dom.js";
import { table } from "./tables.js";
import { clock, count, full, inWords, jobLink, noEstimate, now, plural, shares, span, spans, time } from "./words.js";

export function queue(detail, told, estimates, options, teams) {
  return [
    filters(detail, options, teams),
    detail.reasons.length > 0 && reasons(detail, options),
    told.jobs.length === 0
      ? h("p", { class: "quiet", "data-key": "none" }, told.waiting + told.held ? "No job that waits fits these filters." : "Nothing waits.")
      : rows(told, estimates),
    detail.more_arrivals && h("p", { class: "quiet" }, "More jobs have arrived than are read at once: the next admission cycle takes them up."),
    told.pages > 1 && pager(told),
  ];
}

function filters(detail, options, teams) {
  const known = [...new Set([...teams, ...detail.teams.map((team) => team.name)])];
  return h("form", { class: "filters", role: "search", "aria-label": "Filter the queue", "data-do": "filter", "data-key": "filters" },
    h("label", null, "Find ", h("input", { type: "search", name: "text", value: options.text, placeholder: "job or team", "data-do": "text", autocomplete: "off", spellcheck: "false" })),
    known.length > 1 && h("label", null, "Team ", h("select", { name: "team", "data-do": "team" },
      h("option", { value: "" }, "all"),
      known.map((name) => h("option", { value: name, selected: name === options.team }, shown(name))))));
}

function reasons(detail, options) {
  return h("ul", { class: "reasons", "aria-label": "Why jobs wait", "data-key": "reasons" }, detail.reasons.map((each) => h("li", { "data-key": each.reason },
    h("button", { type: "button", class: "reason", "aria-pressed": String(options.reason === each.reason), "data-do": "reason", "data-reason": each.reason, title: each.note || null },
      h("strong", null, count(each.jobs)), " ", inWords(each.reason)))));
}

function rows(told, estimates) {
  return h("div", { "data-key": "rows" }, table({
    caption: "Jobs that wait, in the order in which they are considered",
    columns: [
      { name: "Turn", class: "number" }, { name: "Job" }, { name: "Team" }, { name: "Priority", class: "number" }, { name: "Needs" },
      { name: "Waits", class: "number" }, { name: "Starts" }, { name: "Why it waits", class: "wide" },
    ],
    rows: told.jobs.map((job) => ({
      key: `${job.team}.${job.job_id}`, head: 1,
      cells: [
        job.position === null ? h("span", { class: "chip even" }, inWords(job.state)) : count(job.position),
        h("a", { href: jobLink(job.team, job.job_id) }, shown(job.job_id)),
        shown(job.team),
        job.priority,
        shares(job.pools),
        job.arrived ? h("span", { "data-since": job.arrived, "data-words": "#", title: `since ${full(time(job.arrived))}` }, span(now() - time(job.arrived))) : "–",
        job.position === null ? h("span", { class: "quiet" }, "not while it is held") : starts(estimates?.jobs[`${job.team}.${job.job_id}`], job),
        why(job),
      ],
    })),
  }));
}

// In how long, with even chances and with nine in ten; and at what time of day.
export function starts(estimate, job) {
  const planned = job?.planned ? h("span", { class: "quiet block" }, `planned by ${clock(time(job.planned))}`) : null;
  if (!estimate) return [h("span", { class: "quiet" }, "…"), planned];
  if (estimate.expected) {
    const early = time(estimate.expected.start_p50), late = time(estimate.expected.start_p90);
    if (late <= now()) return "now";
    return [h("span", { title: `from ${estimate.expected.similar_runs} similar runs` }, `in ${spans(early - now(), late - now())}`),
      h("span", { class: "quiet block" }, clock(early) === clock(late) ? clock(late) : `${clock(early)} to ${clock(late)}`)];
  }
  return [h("span", { class: "quiet" }, `no estimate: ${noEstimate(estimate.no_estimate)}`), planned];
}

function why(job) {
  return [job.reason && h("strong", { class: "why" }, inWords(job.reason)), job.reason && job.note ? ": " : "", job.note];
}

function pager(told) {
  const first = (told.page - 1) * told.page_size + 1, last = first + told.jobs.length - 1;
  return h("nav", { class: "pager", "aria-label": "Pages of the queue", "data-key": "pager" },
    h("button", { type: "button", "data-do": "page", "data-page": 1, disabled: told.page === 1, "data-key": "first" }, "First"),
    h("button", { type: "button", "data-do": "page", "data-page": told.page - 1, disabled: told.page === 1, "data-key": "previous" }, "Previous"),
    h("span", null, `${count(first)} to ${count(last)} of ${plural(told.found, "job", "jobs")}`),
    h("button", { type: "button", "data-do": "page", "data-page": told.page + 1, disabled: told.page === told.pages, "data-key": "next" }, "Next"),
    h("button", { type: "button", "data-do": "page", "data-page": told.pages, disabled: told.page === told.pages, "data-key": "last" }, "Last"));
}
