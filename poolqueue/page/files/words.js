// Times, durations and what things are called; the same words as poolctl's.

let ahead = 0; // milliseconds by which the server's clock is ahead of this one's

export function setServerTime(text) {
  const server = Date.parse(text ?? "");
  if (!Number.isNaN(server)) ahead = server - Date.now();
}

export const now = () => Date.now() + ahead;
export const time = (text) => (text ? Date.parse(text) : null);

export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600), days = Math.floor(seconds / 86400);
  const two = (n) => String(n).padStart(2, "0");
  if (!minutes) return `${seconds}s`;
  if (!hours) return `${minutes}m${two(seconds % 60)}s`;
  if (!days) return `${hours}h${two(minutes % 60)}m`;
  return `${days}d${two(hours % 24)}h`;
}

// 5-12m, 50m-3h: the first rounded down, the second up.
export function spans(early, late) {
  const first = coarse(Math.max(0, early) / 1000, Math.floor), last = coarse(Math.max(0, late) / 1000, Math.ceil);
  if (first === last) return last;
  return first.at(-1) === last.at(-1) ? `${first.slice(0, -1)}–${last}` : `${first}–${last}`;
}

function coarse(seconds, whole) {
  for (const [size, unit] of [[1, "s"], [60, "m"], [3600, "h"]]) {
    const n = whole(seconds / size);
    if (n < 100) return `${n}${unit}`;
  }
  return `${whole(seconds / 86400)}d`;
}

const clocks = {
  minutes: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  seconds: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
  day: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" }),
};

// 18:05, or with its day if that is not today.
export function clock(at, precise = false) {
  const told = (precise ? clocks.seconds : clocks.minutes).format(at);
  const isToday = new Date(at).toDateString() === new Date(now()).toDateString();
  return isToday ? told : `${clocks.day.format(at)}, ${told}`;
}

export const full = (at) => new Date(at).toLocaleString();
export const count = (n) => Number(n).toLocaleString("en-US");
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
export const percent = (part) => `${Math.round(part * 100)}%`;
export const inWords = (code) => String(code ?? "").replaceAll("_", " ");

const NO_ESTIMATE = {
  thin_basis: "too few similar runs have ended",
  blocked: "nothing that is known to happen lets it start",
  beyond_horizon: "later than anybody looks ahead",
  likely_expires: "it may well expire before it starts",
};
export const noEstimate = (why) => NO_ESTIMATE[why] ?? inWords(why);

export const shares = (pools) => pools.map((each) => `${each.pool} ×${count(each.replicas)}`).join(", ");
export const jobLink = (team, id) => `#/job/${encodeURIComponent(team)}/${encodeURIComponent(id)}`;
