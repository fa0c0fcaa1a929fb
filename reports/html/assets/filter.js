// The filter: words with spaces between, all of which must match; `|` or, `!` not, quotes keep spaces.
// Every word becomes a test of a row; tests of names look each name up once and then only compare codes.

const TOKENS = {
  p: "process", k: "key", n: "node", f: "function", s: "outcome", v: "value contains", err: "error contains",
  t: "seconds, 4.2..9", lat: "latency, >50ms", during: "fault", i: "index", is: "anomaly", anomaly: "number or name",
};

/** Splits at spaces outside quotes; a quote may stand after the colon. */
function tokens(text) {
  return text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
}

/** A function of a row, or an Error that says what is wrong. */
function compileFilter(model, text) {
  const tests = tokens(text).map((token) => {
    const negated = token.startsWith("!") && token.length > 1;
    const test = compileToken(model, negated ? token.slice(1) : token);
    return negated ? (row) => !test(row) : test;
  });
  return (row) => tests.every((test) => test(row));
}

function compileToken(model, token) {
  const [, name, rest] = /^([a-z]+):(.*)$/s.exec(token) ?? [];
  const wanted = (rest ?? token).split(/\|(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((part) => part.replaceAll('"', "")).filter((part) => part !== "");
  if (name !== undefined && !(name in TOKENS)) throw new Error(`There is no “${name}:”; there is ${Object.keys(TOKENS).map((one) => `${one}:`).join(" ")}`);
  if (!wanted.length) return () => true; // half typed
  switch (name) {
    case "p": return byCode(model.process, model.words.names, (word) => wanted.includes(word) || wanted.includes(`p${word}`));
    case "n": return byCode(model.node, model.words.names, (word) => wanted.includes(word));
    case "k": return byCode(model.key, model.words.keys, (word) => wanted.includes(word));
    case "f": return byCode(model.f, model.words.fs, (word) => wanted.includes(word));
    case "s": return (row) => wanted.includes(STATUS[model.status[row]]);
    case "err": return byCode(model.error, model.words.errors, containsAny(wanted));
    case "v": return eitherOf(byCode(model.argument, model.words.values, containsAny(wanted)), byCode(model.result, model.words.values, containsAny(wanted)));
    case "t": return anyOf(wanted.map((part) => inSeconds(model, part)));
    case "lat": return anyOf(wanted.map((part) => byLatency(model, part)));
    case "during": return during(model, wanted);
    case "i": return (row) => wanted.includes(String(model.index[row])) || (model.completion[row] > 0 && wanted.includes(String(model.index[row] + model.completion[row])));
    case "is": return wanted.includes("anomaly") ? (row) => model.anomalyOf.has(row) : fails(`is: knows only “anomaly”`);
    case "anomaly": return ofAnomaly(model, wanted);
    default: return anywhere(model, wanted);
  }
}

const fails = (message) => { throw new Error(message); };
const anyOf = (tests) => (row) => tests.some((test) => test(row));
const eitherOf = (one, other) => (row) => one(row) || other(row);
const containsAny = (wanted) => (word) => wanted.some((part) => word.toLowerCase().includes(part.toLowerCase()));

function byCode(codes, words, matches) {
  const table = Uint8Array.from(words, (word) => (matches(String(word)) ? 1 : 0));
  return (row) => table[codes[row]] === 1;
}

function inSeconds(model, part) {
  const range = /^(\d*\.?\d*)\.\.(\d*\.?\d*)$/.exec(part) ?? fails("t: wants a span of seconds, such as t:4.2..9");
  const unit = model.timed ? 1e6 : 1;
  const from = range[1] ? Number(range[1]) * unit : -Infinity, to = range[2] ? Number(range[2]) * unit : Infinity;
  return (row) => model.start[row] <= to && model.end[row] >= from;
}

function byLatency(model, part) {
  const match = /^([<>]=?)(\d+\.?\d*)(us|µs|ms|s)?$/.exec(part) ?? fails("lat: wants a bound, such as lat:>50ms");
  const bound = Number(match[2]) * { us: 1, "µs": 1, ms: 1e3, s: 1e6 }[match[3] ?? "ms"];
  return match[1].startsWith(">") ? (row) => model.took[row] >= bound : (row) => model.took[row] >= 0 && model.took[row] <= bound;
}

function during(model, wanted) {
  const windows = model.faults.filter((fault) => wanted.some((part) => fault.kind === part || fault.id === part || fault.name.includes(part)));
  return (row) => windows.some((fault) => model.start[row] <= (fault.stop ?? Infinity) && model.end[row] >= fault.start);
}

/** Operations of these anomalies, by number or by a part of the name or guarantee. */
function ofAnomaly(model, wanted) {
  const chosen = model.anomalies.filter((one) => wanted.some((part) => String(one.number) === part || (!/^\d+$/.test(part) && `${one.name} ${one.guarantee}`.includes(part))));
  const rows = new Set(chosen.flatMap((one) => one.rows));
  return (row) => rows.has(row);
}

function anywhere(model, wanted) {
  const matches = containsAny(wanted), { names, keys, fs, values, errors } = model.words;
  return anyOf([
    byCode(model.f, fs, matches), byCode(model.key, keys, matches), byCode(model.argument, values, matches),
    byCode(model.result, values, matches), byCode(model.error, errors, matches), byCode(model.node, names, matches),
    byCode(model.process, names, (word) => matches(/^\d+$/.test(word) ? `p${word}` : word)),
  ]);
}

/** What may be typed next: names that this history holds, the most frequent first. */
function suggestions(model, limit = 60) {
  const top = (prefix, codes, words, most) => {
    const counts = new Float64Array(words.length);
    for (let row = 0; row < model.n; row++) counts[codes[row]]++;
    return [...counts.keys()].filter((code) => counts[code] && words[code] !== "null" && words[code] !== "").sort((a, b) => counts[b] - counts[a]).slice(0, most)
      .map((code) => ({ value: `${prefix}:${/[\s|"]/.test(words[code]) ? `"${words[code].replaceAll('"', "")}"` : words[code]}`, label: countText(counts[code]) }));
  };
  return [
    ...top("f", model.f, model.words.fs, 10), ...top("err", model.error, model.words.errors, 10), ...top("n", model.node, model.words.names, 10),
    ...model.anomalies.slice(0, 10).map((one) => ({ value: `anomaly:${one.number}`, label: one.name })),
    ...[...new Set(model.faults.map((fault) => fault.kind))].map((kind) => ({ value: `during:${kind}`, label: "fault" })),
    ...top("k", model.key, model.words.keys, 20), ...top("p", model.process, model.words.names, 20),
  ].slice(0, limit);
}
