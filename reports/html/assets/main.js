// Ties it together: the window in time, the selection, the filter, and every way to change them.

const LANES_TALL = 560, SMALLEST = 10;

function start(model) {
  const state = {
    model, palette: null, gutter: 84, plot: 1, scroll: 0, edition: 0, by: "process", onlyStatus: [true, true, true],
    view: { from: model.first, to: model.last, selected: -1 }, filterText: "", matches: new Uint8Array(model.n).fill(1),
    mask: new Uint8Array(model.n).fill(1), lanes: [], laneNumbers: new Int32Array(model.n).fill(-1), strip: document.createElement("canvas"),
    canvases: Object.fromEntries(["overview", "lanes", "latency", "rate"].map((id) => [id, byId(id)])),
  };
  state.x = (moment) => state.gutter + ((moment - state.view.from) / (state.view.to - state.view.from)) * state.plot;
  state.moment = (x) => state.view.from + ((x - state.gutter) / state.plot) * (state.view.to - state.view.from);
  state.laneOf = (row) => (row < 0 ? -1 : state.laneNumbers[row]);
  state.head = AXIS + bandRows(model) * BAND_ROW + (model.anomalies.length ? FLAG : 4);
  state.palette = readPalette();
  const actions = makeActions(state);
  wirePointer(state, actions);
  wireControls(state, actions);
  wireKeys(state, actions);
  byId("no-script").hidden = true;
  byId("viewer").hidden = false;
  for (const element of document.querySelectorAll(model.timed ? ".none" : ".plot-title, #latency, #rate")) element.hidden = true;
  actions.applyFilter();
  readHash(state, actions);
  addEventListener("popstate", () => followHash(state, actions));
  new ResizeObserver(() => actions.layout()).observe(byId("plots"));
  if (state.view.selected < 0) showDetails(state, actions);
  actions.layout();
  return { state, actions };
}

/** Everything that changes the picture; each leaves it to the next frame to draw. */
function makeActions(state) {
  const { model, view } = state, actions = {};
  let due = 0, later = 0;
  actions.draw = () => { due ||= requestAnimationFrame(() => { due = 0; paint(state); }); settle(); };
  const settle = () => {
    clearTimeout(later);
    later = setTimeout(() => { showTable(state, actions); writeHash(state); }, 150);
  };
  actions.layout = () => {
    const wide = byId("plots").clientWidth;
    state.gutter = wide < 520 ? 58 : 84;
    state.plot = Math.max(50, wide - state.gutter - 4);
    state.laneHeight = Math.max(9, Math.min(26, Math.floor((LANES_TALL - state.head - 4) / Math.max(1, state.lanes.length))));
    const all = state.head + Math.max(2, state.lanes.length) * state.laneHeight + 4, tall = Math.min(LANES_TALL, all);
    state.canvases.lanes.style.height = `${tall}px`;
    byId("spacer").style.height = `${all - tall}px`;
    byId("scroller").style.maxHeight = `${tall}px`;
    actions.draw();
  };
  actions.show = (from, to) => {
    const whole = model.last - model.first, span = Math.min(whole, Math.max(SMALLEST, to - from));
    const middle = (from + to) / 2, left = Math.min(model.last - span, Math.max(model.first, middle - span / 2));
    [view.from, view.to] = [left, left + span];
    actions.draw();
  };
  actions.zoom = (factor, at = (view.from + view.to) / 2) => actions.show(at - (at - view.from) * factor, at + (view.to - at) * factor);
  actions.pan = (share) => actions.show(view.from + share * (view.to - view.from), view.to + share * (view.to - view.from));
  actions.all = () => actions.show(model.first, model.last);
  actions.select = (row, bring = true) => {
    view.selected = row;
    if (row >= 0 && !state.mask[row]) actions.filter("");
    if (row >= 0 && bring) reveal(state, actions, row);
    showDetails(state, actions);
    actions.draw();
  };
  actions.fit = (rows = [view.selected]) => {
    if (rows[0] < 0 || !rows.length) return;
    let from = Infinity, to = -Infinity;
    for (const row of rows) {
      from = Math.min(from, model.start[row]);
      to = Math.max(to, model.took[row] < 0 ? model.start[row] : model.end[row]);
    }
    const margin = Math.max(SMALLEST * 4, (to - from) * 0.35);
    actions.show(from - margin, to + margin);
  };
  actions.anomaly = (number) => {
    const anomaly = model.anomalies.find((one) => one.number === number);
    if (!anomaly || !anomaly.rows.length) return;
    state.anomaly = number;
    actions.select(anomaly.culpritRow >= 0 ? anomaly.culpritRow : anomaly.rows[0], false);
    actions.fit(anomaly.rows);
    scrollToLane(state, state.laneOf(view.selected));
  };
  actions.step = (by) => {
    const lane = state.lanes[state.laneOf(view.selected)];
    const next = lane?.rows[lane.rows.indexOf(view.selected) + by];
    if (next !== undefined) actions.select(next);
  };
  actions.lane = (by) => stepLane(state, actions, by);
  actions.nextWhere = (by, wanted) => {
    const from = view.selected >= 0 ? view.selected : by > 0 ? -1 : model.n;
    for (let row = from + by; row >= 0 && row < model.n; row += by) if (state.mask[row] && wanted(row)) return actions.select(row);
  };
  actions.nextAnomaly = (by) => {
    const known = model.anomalies.filter((one) => one.rows.length);
    if (!known.length) return;
    const at = known.findIndex((one) => one.number === state.anomaly), next = known[(at < 0 ? (by > 0 ? 0 : known.length - 1) : at + by + known.length) % known.length];
    actions.anomaly(next.number);
  };
  actions.fault = (number) => {
    const fault = model.faults[number];
    if (!fault) return;
    state.fault = number;
    const stop = fault.stop ?? model.last, margin = Math.max(1000, (stop - fault.start) * 0.15);
    actions.show(fault.start - margin, stop + margin);
  };
  actions.nextFault = (by) => model.faults.length && actions.fault(((state.fault ?? (by > 0 ? -1 : 0)) + by + model.faults.length) % model.faults.length);
  actions.filter = (text) => { byId("filter").value = text; state.onlyStatus.fill(true); actions.applyFilter(); };
  actions.applyFilter = () => applyFilter(state, actions);
  actions.onlyKey = () => {
    if (view.selected < 0) return;
    const key = model.words.keys[model.key[view.selected]], token = `k:${/[\s|"]/.test(key) ? `"${key}"` : key}`;
    actions.filter(byId("filter").value === token ? "" : token);
    scrollToLane(state, state.laneOf(view.selected));
  };
  /** Only the operations that show an anomaly, and all of them in the window; again: everything. */
  actions.onlyAnomaly = () => {
    const anomaly = model.anomalyOf.get(view.selected) ?? model.anomalies.find((one) => one.number === (state.anomaly ?? 1));
    if (!anomaly?.rows.length) return;
    const token = `anomaly:${anomaly.number}`, alone = byId("filter").value === token;
    actions.filter(alone ? "" : token);
    actions.fit(anomaly.rows);
    scrollToLane(state, state.laneOf(view.selected));
  };
  return actions;
}

function paint(state) {
  drawLanes(state);
  drawOverview(state);
  if (state.model.timed) {
    drawLatency(state);
    drawRate(state);
  }
  const root = document.documentElement, { view, model } = state;
  root.dataset.from = view.from;
  root.dataset.to = view.to;
  if (!root.dataset.ready) root.dataset.ready = Math.round(performance.now());
  const whole = view.to - view.from >= model.last - model.first;
  byId("zoom-all").disabled = byId("zoom-out").disabled = whole;
}

/** Bring an operation into the window: as near as before, or nearer when it would be too small to see. */
function reveal(state, actions, row) {
  const { model, view } = state, took = Math.max(0, model.took[row]);
  const span = view.to - view.from, needed = (took / Math.max(1, state.plot)) * span;
  const inside = model.start[row] >= view.from && model.start[row] + took <= view.to;
  if (!inside || needed > span) {
    const wanted = Math.min(span, Math.max(took * 3, span)), middle = model.start[row] + took / 2;
    actions.show(middle - wanted / 2, middle + wanted / 2);
  }
  scrollToLane(state, state.laneOf(row));
}

function scrollToLane(state, lane) {
  const scroller = byId("scroller"), top = lane * state.laneHeight, room = scroller.clientHeight - state.head - state.laneHeight;
  if (lane >= 0 && (top < state.scroll || top > state.scroll + room)) scroller.scrollTop = Math.max(0, top - room / 2);
}

function stepLane(state, actions, by) {
  const { model, view, lanes } = state, selected = view.selected;
  const middle = selected >= 0 ? model.start[selected] : (view.from + view.to) / 2;
  for (let lane = selected >= 0 ? state.laneOf(selected) + by : by > 0 ? 0 : lanes.length - 1; lane >= 0 && lane < lanes.length; lane += by) {
    const row = nearest(model, lanes[lane], middle, view.to - view.from);
    if (row >= 0) return actions.select(row);
  }
  return undefined;
}

function applyFilter(state, actions) {
  const { model } = state, box = byId("filter"), text = box.value.trim();
  document.documentElement.dataset.filter = text; // seen and dealt with, so that whoever drives the page need not guess
  let test;
  try {
    test = compileFilter(model, text);
    byId("filter-hint").textContent = "";
    box.removeAttribute("aria-invalid");
  } catch (error) {
    byId("filter-hint").textContent = error.message; // and the last good result stays
    box.setAttribute("aria-invalid", "true");
    return;
  }
  const counts = [0, 0, 0];
  let kept = 0;
  for (let row = 0; row < model.n; row++) {
    const status = Math.min(INFO, model.status[row]), matches = text === "" || test(row);
    if (matches) counts[status]++;
    kept += state.mask[row] = matches && state.onlyStatus[status] ? 1 : 0;
  }
  state.filterText = text;
  state.edition++;
  state.lanes = buildLanes(model, state.mask, state.by);
  state.laneNumbers.fill(-1);
  state.lanes.forEach((lane, number) => { for (const row of lane.rows) state.laneNumbers[row] = number; });
  counts.forEach((count, status) => {
    const chip = byId("chips").children[status];
    chip.lastChild.textContent = `${STATUS[status]} ${countText(count)}`;
    chip.setAttribute("aria-pressed", String(state.onlyStatus[status]));
  });
  byId("shown").textContent = (kept === model.n ? `${countText(kept)} operations` : `${countText(kept)} of ${countText(model.n)} operations`) + `. ${model.kept}`.trimEnd();
  actions.layout();
}

/** Back, forward, or an address typed over: show what it names, and nothing else. */
function followHash(state, actions) {
  const hash = location.hash.slice(1);
  if (hash && !hash.includes("=")) return; // a section of the page
  actions.select(-1);
  if (byId("filter").value) actions.filter("");
  if (!/(^|&)z=/.test(hash)) actions.all();
  readHash(state, actions);
}

/** #op=31807&z=41.2-41.6&q=k:17; whatever else the hash is, it is a section. */
function readHash(state, actions) {
  const { model } = state, hash = location.hash.slice(1);
  if (!hash.includes("=")) return;
  const given = new URLSearchParams(hash.replaceAll("+", "%2B")), unit = model.timed ? 1e6 : 1;
  if (given.get("by") && ["process", "key", "node"].includes(given.get("by"))) { state.by = byId("lanes-by").value = given.get("by"); actions.applyFilter(); }
  if (given.get("q")) actions.filter(given.get("q"));
  const row = given.get("op") ? rowOf(model, Number(given.get("op"))) : -1;
  if (row >= 0) {
    actions.select(row);
    const anomaly = model.anomalyOf.get(row);
    if (anomaly) actions.fit(anomaly.rows);
    else actions.show(model.start[row] - 25 * Math.max(1000, model.took[row]), model.start[row] + 25 * Math.max(1000, model.took[row]));
  }
  const [from, to] = (given.get("z") ?? "").split("-").map((part) => Number(part) * unit);
  if (to > from) actions.show(from, to);
  if (row >= 0 || to > from) byId("timeline").scrollIntoView({ behavior: "instant" });
}

/** The address names what is shown. A new selection is a step that the browser's back button undoes; moving about is not. */
function writeHash(state) {
  const { model, view } = state, parts = new URLSearchParams(), unit = model.timed ? 1e6 : 1;
  if (view.selected >= 0) parts.set("op", model.index[view.selected]);
  if (view.to - view.from < model.last - model.first) parts.set("z", `${+(view.from / unit).toFixed(6)}-${+(view.to / unit).toFixed(6)}`);
  if (state.filterText) parts.set("q", state.filterText);
  if (state.by !== "process") parts.set("by", state.by);
  const text = parts.toString(), was = new URLSearchParams(location.hash.slice(1)).get("op") ?? "";
  if (`#${text}` === location.hash || (!text && !location.hash.includes("="))) return;
  const step = (parts.get("op") ?? "") === was ? "replaceState" : "pushState";
  try { history[step](null, "", text ? `#${text}` : location.pathname); } catch { /* a sandboxed frame may forbid it; links then stay as they are */ }
}
