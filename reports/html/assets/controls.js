// Mouse, touch, buttons, keys and theme: they only call actions.

function wirePointer(state, actions) {
  const plots = byId("plots"), fingers = new Map();
  let drag = null;
  const over = (event) => { const box = plots.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const local = (event) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  for (const id of ["lanes", "latency", "rate"]) {
    const canvas = state.canvases[id];
    canvas.addEventListener("wheel", (event) => onWheel(state, actions, event, local(event)), { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, local(event));
      drag = { x: local(event), from: state.view.from, to: state.view.to, moved: false, mark: event.shiftKey, spread: spread(fingers) };
      if (id === "lanes") canvas.focus({ preventScroll: true });
    });
    canvas.addEventListener("pointermove", (event) => {
      const x = local(event);
      showCursor(state, x);
      if (!drag) return showCard(plots, ...over(event), whatLies(state, id, x, event.offsetY));
      fingers.set(event.pointerId, x);
      if (Math.abs(x - drag.x) > 3) drag.moved = true;
      if (!drag.moved) return undefined;
      canvas.classList.add("dragging");
      showCard(plots, 0, 0, drag.mark ? [markText(state, drag.x, x)] : null);
      if (drag.mark) return undefined;
      const scale = fingers.size > 1 && drag.spread ? drag.spread / Math.max(8, spread(fingers)) : 1;
      const span = (drag.to - drag.from) * scale, anchor = drag.from + ((drag.x - state.gutter) / state.plot) * (drag.to - drag.from);
      const from = anchor - ((x - state.gutter) / state.plot) * span;
      return actions.show(from, from + span);
    });
    const end = (event) => {
      fingers.delete(event.pointerId);
      canvas.classList.remove("dragging");
      if (!drag || fingers.size) return;
      const { x, moved, mark } = drag, now = local(event);
      drag = null;
      if (event.type === "pointercancel") return;
      if (moved && mark) { showCard(plots, 0, 0, null); actions.show(state.moment(Math.min(x, now)), state.moment(Math.max(x, now))); }
      else if (!moved) onClick(state, actions, id, now, event.offsetY);
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => { showCard(plots, 0, 0, null); showCursor(state, -1); });
    canvas.addEventListener("dblclick", () => actions.fit());
  }
  wireOverview(state, actions, local);
  byId("scroller").addEventListener("scroll", (event) => { state.scroll = event.target.scrollTop; actions.draw(); });
}

/** One line through all plots, with its moment, so that a spike in one is found in the others. */
function showCursor(state, x) {
  const cursor = byId("cursor"), { view, gutter, plot, model } = state;
  cursor.hidden = x < gutter || x > gutter + plot;
  if (cursor.hidden) return;
  cursor.style.left = `${Math.round(x)}px`;
  cursor.classList.toggle("left", x > gutter + plot - 90);
  cursor.firstElementChild.textContent = momentText(model, state.moment(x), (view.to - view.from) / plot);
}

const spread = (fingers) => { const at = [...fingers.values()]; return at.length > 1 ? Math.max(8, Math.abs(at[0] - at[1])) : 0; };
const markText = (state, from, to) => `${lengthText(state.model, Math.abs(state.moment(to) - state.moment(from)))}: release to zoom in`;

/** The wheel belongs to the page until the timeline is clicked or Ctrl is held; a trapped wheel is a nuisance. */
function onWheel(state, actions, event, x) {
  const active = document.activeElement === state.canvases.lanes;
  const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
  if (sideways) {
    event.preventDefault();
    actions.pan(sideways / state.plot);
  } else if (event.ctrlKey || event.metaKey || active) {
    event.preventDefault();
    actions.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 240))), state.moment(x));
  } else {
    byId("card").hidden = true;
  }
}

/** The row at a place of a plot, or -1. */
function rowAt(state, id, x, y) {
  const { model, view } = state, tolerance = (5 / state.plot) * (view.to - view.from);
  if (x < state.gutter) return -1;
  if (id === "lanes") {
    const lane = state.lanes[Math.floor((y - state.head + state.scroll) / state.laneHeight)];
    return lane && y > state.head ? nearest(model, lane, state.moment(x), tolerance) : -1;
  }
  if (id !== "latency" || !state.latencyAt) return -1;
  let best = -1, least = 8;
  for (const row of state.latencyAt.shown) {
    const away = Math.abs(state.x(model.start[row]) - x) + Math.abs(state.latencyAt.y(model.took[row]) - y);
    if (away <= least) [best, least] = [row, away];
  }
  return best;
}

const faultsAt = (state, x) => state.model.faults.filter((fault) => fault.start <= state.moment(x) && (fault.stop ?? Infinity) >= state.moment(x));

function whatLies(state, id, x, y) {
  const { model } = state, row = rowAt(state, id, x, y);
  if (x < state.gutter) return null;
  const faults = faultsAt(state, x).map((fault) => fault.name + (fault.proven ? "" : " (unproven)"));
  if (row < 0) return faults.length ? faults : null;
  const key = model.words.keys[model.key[row]];
  const where = [processText(model, model.process[row]), key === "null" ? "" : `key ${key}`, model.words.names[model.node[row]]].filter((part) => part && part !== "null");
  const error = model.words.errors[model.error[row]];
  return [operationText(model, row), `${STATUS[model.status[row]]}${error ? `, ${error}` : ""}, ${lengthText(model, model.took[row])}`, `${where.join(", ")}, ${momentText(model, model.start[row])}`, ...faults];
}

function onClick(state, actions, id, x, y) {
  if (id === "lanes" && y > AXIS && y < state.head) {
    const strip = Math.floor((y - AXIS) / BAND_ROW), fault = faultsAt(state, x).find((one) => one.row === strip);
    if (fault) return actions.fault(state.model.faults.indexOf(fault));
  }
  return actions.select(rowAt(state, id, x, y), false);
}

/** Drag the frame, an edge of it, or a new one. */
function wireOverview(state, actions, local) {
  const canvas = state.canvases.overview, { model, view } = state;
  const moment = (x) => model.first + ((x - state.gutter) / state.plot) * (model.last - model.first);
  const place = (at) => state.gutter + ((at - model.first) / (model.last - model.first)) * state.plot;
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    const x = local(event), left = place(view.from), right = place(view.to);
    canvas.setPointerCapture(event.pointerId);
    if (Math.abs(x - left) < 7) drag = { fixed: view.to };
    else if (Math.abs(x - right) < 7) drag = { fixed: view.from };
    else if (x > left && x < right && right - left < state.plot - 2) drag = { grip: moment(x) - view.from };
    else drag = { fixed: moment(x), fresh: true };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const at = moment(local(event)), span = view.to - view.from;
    if (drag.grip !== undefined) actions.show(at - drag.grip, at - drag.grip + span);
    else if (!drag.fresh || Math.abs(place(at) - place(drag.fixed)) > 3) actions.show(Math.min(at, drag.fixed), Math.max(at, drag.fixed));
  });
  for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => { drag = null; });
}

function wireControls(state, actions) {
  const { model } = state, pressed = (id, action) => byId(id).addEventListener("click", action);
  for (const status of [0, 1, 2]) {
    byId("chips").append(el("button", { type: "button", "aria-pressed": "true", onclick: () => { state.onlyStatus[status] = !state.onlyStatus[status]; actions.applyFilter(); } },
      el("i", { class: `swatch ${STATUS[status]}` }), el("span")));
  }
  let typing = 0;
  byId("filter").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(actions.applyFilter, model.n > 50000 ? 160 : 40); });
  byId("filter").addEventListener("focus", () => {
    if (byId("suggestions").children.length) return;
    byId("suggestions").append(...suggestions(model).map((one) => el("option", { value: one.value, label: one.label })));
  }, { once: true });
  byId("toolbar").addEventListener("submit", (event) => { event.preventDefault(); actions.applyFilter(); });
  byId("lanes-by").addEventListener("change", (event) => { state.by = event.target.value; actions.applyFilter(); });
  byId("in-view").addEventListener("toggle", () => showTable(state, actions));
  pressed("zoom-in", () => actions.zoom(0.5));
  pressed("zoom-out", () => actions.zoom(2));
  pressed("zoom-all", actions.all);
  pressed("to-anomaly", () => actions.nextAnomaly(1));
  pressed("to-trouble", () => actions.nextWhere(1, (row) => model.status[row] !== 0));
  pressed("to-fault", () => actions.nextFault(1));
  pressed("help-open", () => byId("help").showModal());
  byId("to-anomaly").disabled = !model.anomalies.some((one) => one.rows.length);
  byId("to-fault").disabled = !model.faults.length;
  byId("latency-note").textContent = "solid: median, dashed: 99th percentile, of the successful; logarithmic";
  byId("rate-note").textContent = "completed operations per second";
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-op], [data-fault]");
    if (!button) return;
    if (button.dataset.fault) actions.fault(Number(button.dataset.fault));
    else if (button.dataset.anomaly) actions.anomaly(Number(button.dataset.anomaly));
    else showOperation(state, actions, Number(button.dataset.op));
    byId("timeline").scrollIntoView();
    state.canvases.lanes.focus({ preventScroll: true });
  });
}

function showOperation(state, actions, index) {
  const row = rowOf(state.model, index), anomaly = state.model.anomalyOf.get(row);
  if (row < 0) return;
  actions.select(row, false);
  actions.fit(anomaly ? anomaly.rows : [row]);
  scrollToLane(state, state.laneOf(row));
}

function wireKeys(state, actions) {
  const notOk = (row) => state.model.status[row] !== 0;
  const keys = {
    w: () => actions.zoom(0.5), "+": () => actions.zoom(0.5), "=": () => actions.zoom(0.5), s: () => actions.zoom(2), "-": () => actions.zoom(2),
    a: () => actions.pan(-0.25), d: () => actions.pan(0.25), 0: actions.all, f: () => actions.fit(), k: actions.onlyKey,
    ",": () => actions.step(-1), ".": () => actions.step(1), n: () => actions.nextAnomaly(1), N: () => actions.nextAnomaly(-1),
    m: actions.onlyAnomaly, c: () => copyAddress(),
    e: () => actions.nextWhere(1, notOk), E: () => actions.nextWhere(-1, notOk), b: () => actions.nextFault(1), B: () => actions.nextFault(-1),
    "/": () => byId("filter").focus(), "?": () => byId("help").showModal(),
    Escape: () => { if (state.view.selected >= 0) actions.select(-1); else if (byId("filter").value) actions.filter(""); else actions.all(); },
  };
  const arrows = { ArrowLeft: () => actions.pan(-0.25), ArrowRight: () => actions.pan(0.25), ArrowUp: () => actions.lane(-1), ArrowDown: () => actions.lane(1) };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const action = keys[event.key] ?? (document.activeElement === state.canvases.lanes ? arrows[event.key] : undefined);
    if (!action) return;
    event.preventDefault();
    action();
  });
}
