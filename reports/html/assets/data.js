// Unpacks the columns that `reports/html/columns.py` packed, and puts numbers into words.
// Whatever comes out of here is shown with textContent or fillText only, never as markup.

const byId = (id) => document.getElementById(id);
const FAIL = 1, INFO = 2, RUNNING = 3;
const STATUS = ["ok", "fail", "info", "info"];
const MEANING = [
  "happened, exactly once, between its start and its end.",
  "certainly did not happen, and never will.",
  "may or may not have happened, at any time from its start until the end of the run.",
  "never returned: it may or may not have happened, at any time from its start until the end of the run.",
];

/** An element with attributes and children; a string becomes text. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

async function inflated(id) {
  const text = byId(id).textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** One column from its byte planes, lowest byte first; differences are summed up again. */
function column(blob, offset, rows, { width, difference }) {
  const numbers = new Float64Array(rows);
  let weight = 1;
  for (let plane = 0; plane < width; plane++, weight *= 256) {
    const bytes = blob.subarray(offset + plane * rows, offset + (plane + 1) * rows);
    for (let row = 0; row < rows; row++) numbers[row] += bytes[row] * weight;
  }
  if (difference) {
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const coded = numbers[row];
      sum += coded % 2 ? -(coded + 1) / 2 : coded / 2;
      numbers[row] = sum;
    }
  }
  return numbers;
}

/** The model: columns by name, dictionaries, faults, anomalies, and the extent in time (microseconds, or event numbers). */
async function load() {
  const meta = JSON.parse(byId("data").textContent);
  const [blob, raw] = await Promise.all([inflated("columns"), inflated("words")]);
  const words = JSON.parse(new TextDecoder().decode(raw));
  const model = { ...meta, words, n: meta.rows };
  let offset = 0;
  for (const described of meta.columns) {
    const numbers = column(blob, offset, meta.rows, described);
    offset += described.width * meta.rows;
    model[described.name] = ["start", "took", "generation", "log_index", "index"].includes(described.name) ? numbers
      : described.name === "status" ? Uint8Array.from(numbers) : Int32Array.from(numbers);
  }
  for (let row = 0; row < model.n; row++) {
    model.took[row] -= 1; // -1 is unknown
    model.result[row] = model.result[row] ? model.result[row] - 1 : model.argument[row];
    model.session[row] = model.session[row] ? model.session[row] - 1 : model.process[row];
  }
  measure(model);
  mark(model);
  return model;
}

/** The extent of the run, and until when each operation is drawn. */
function measure(model) {
  let first = Infinity, last = model.timed ? model.duration_us : 0;
  for (let row = 0; row < model.n; row++) {
    first = Math.min(first, model.start[row]);
    last = Math.max(last, model.start[row] + Math.max(0, model.took[row]));
  }
  model.first = model.timed ? Math.min(0, first) : Number.isFinite(first) ? first : 0;
  model.last = Math.max(last + Math.ceil((last - model.first) / 100), model.first + 1); // so that the last is not at the very edge
  if (!model.timed) model.faults = [];
  model.end = new Float64Array(model.n);
  for (let row = 0; row < model.n; row++) {
    model.end[row] = model.took[row] < 0 ? model.last : model.start[row] + model.took[row];
  }
}

/** Which rows belong to which anomaly; a row keeps the first, which is the worst. */
function mark(model) {
  model.anomalyOf = new Map();
  for (const anomaly of model.anomalies) {
    anomaly.rows = anomaly.ops.map((index) => rowOf(model, index)).filter((row) => row >= 0);
    anomaly.culpritRow = anomaly.culprit === null ? -1 : rowOf(model, anomaly.culprit);
    for (const row of anomaly.rows) if (!model.anomalyOf.has(row)) model.anomalyOf.set(row, anomaly);
  }
}

/** The row of an invocation index, or -1. */
function rowOf(model, index) {
  const row = firstAtLeast(model.n, (at) => model.index[at] >= index);
  return row < model.n && model.index[row] === index ? row : -1;
}

/** The first of 0..n-1 that holds, if all after it hold as well; n when none does. */
function firstAtLeast(n, holds) {
  let low = 0, high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

// ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const countText = (number) => number.toLocaleString("en-US");

function durationText(us) {
  if (us < 0) return "unknown";
  for (const [size, unit] of [[1e6, "s"], [1e3, "ms"]]) {
    if (us >= size) return `${(us / size).toFixed(us / size < 100 ? 1 : 0)} ${unit}`;
  }
  return `${Math.round(us)} µs`;
}

/** A length on the time axis of this history. */
function lengthText(model, length) {
  return model.timed ? durationText(length) : length < 0 ? "unknown" : `${countText(length)} events`;
}

/** The height that suits columns: the tallest, unless a few stand far above all others; those are then cut, and named. */
function ceilingOf(columns) {
  const ordered = [...columns].filter((one) => one > 0).sort((a, b) => a - b);
  if (!ordered.length) return 1;
  const tallest = ordered[ordered.length - 1], usual = ordered[Math.floor((ordered.length - 1) * 0.97)];
  return tallest > 2.5 * usual ? usual * 1.3 : tallest;
}

/** A moment with as many digits as a step needs. */
function momentText(model, moment, step = 1000) {
  if (!model.timed) return `event ${countText(Math.round(moment))}`;
  const digits = Math.min(6, Math.max(0, Math.ceil(6 - Math.log10(Math.max(1, step)) - 1e-9)));
  return `${(moment / 1e6).toFixed(digits)} s`;
}

/** Plain words stay bare, all else is JSON, as in the terminal. */
function valueText(model, code) {
  const text = model.words.values[code] ?? "";
  return /^"[\p{L}\p{N}_-]+"$/u.test(text) ? text.slice(1, -1) : text;
}

const processText = (model, code) => (/^\d+$/.test(model.words.names[code]) ? `p${model.words.names[code]}` : model.words.names[code]);

/** "write 5", "read → 3", "cas 3 → 5"; short, where there is little room: "w 5", "r → 3", "c 3 → 5". */
function operationText(model, row, short = false) {
  const name = model.words.fs[model.f[row]], f = short ? name.slice(0, 1) : name, argument = model.argument[row], result = model.result[row];
  const asked = valueText(model, argument), answered = valueText(model, result), status = model.status[row];
  if (argument === 0) return `${f} → ${status === 0 || (status === FAIL && result) ? answered : "?"}`;
  const pair = name === "cas" && /^\[([^,[\]{}]*),([^,[\]{}]*)\]$/.exec(asked);
  if (pair) return `${f} ${pair[1]} → ${pair[2]}`;
  return status === 0 && result !== argument && result ? `${f} ${asked} → ${answered}` : `${f} ${asked}`;
}
