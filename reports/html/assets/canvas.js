// Draws the lanes. Operations too narrow for a box are merged into two rows of pixels per lane, stretched to its height:
// above, what ended ok, below, the worst outcome. So one failure among a hundred thousand is never lost, nor hides the rest.

const AXIS = 24, BAND_ROW = 19, BAND_ROWS_MAX = 4;
const FLAG = 15; // room above the first lane for the flag of an anomaly
const WIDE = 4; // pixels from which an operation is a box of its own
const MONO = "11px ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const SANS = "12px ui-sans-serif, system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif";
const SHADES = ["ok", "ok-box", "fail", "info", "bad", "ink", "soft", "faint", "line", "line-strong", "surface", "sunken", "fault", "fault-ground", "fault-ink", "accent"];

/** Colours of the theme, by name; and `packed`, the same as pixels. */
function readPalette() {
  const style = getComputedStyle(document.documentElement), palette = { packed: {} };
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  for (const name of SHADES) {
    palette[name] = style.getPropertyValue(`--${name}`).trim();
    probe.fillStyle = palette[name];
    probe.fillRect(0, 0, 1, 1);
    const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
    palette.packed[name] = (255 << 24) | (blue << 16) | (green << 8) | red;
  }
  palette.byStatus = [palette.ok, palette.fail, palette.info, palette.info];
  palette.doubt = hatch(palette.info, 0.22, 0.8);
  palette.band = hatch(palette.fault, 0.11, 0.07);
  return palette;
}

function hatch(colour, ground, stripe) {
  const tile = document.createElement("canvas"), size = 8;
  tile.width = tile.height = size;
  const ctx = tile.getContext("2d");
  ctx.fillStyle = ctx.strokeStyle = colour;
  ctx.globalAlpha = ground;
  ctx.fillRect(0, 0, size, size);
  ctx.globalAlpha = stripe;
  ctx.lineWidth = 2.4;
  ctx.beginPath();
  for (const shift of [-size, 0, size]) { ctx.moveTo(shift - 2, size + 2); ctx.lineTo(shift + size + 2, -2); }
  ctx.stroke();
  return ctx.createPattern(tile, "repeat");
}

/** The context of a canvas, fitted to its box and to the screen's pixels, cleared. */
function fitted(canvas) {
  const ratio = Math.min(2, window.devicePixelRatio || 1), width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, width, height };
}

/** Steps of 1, 2 or 5 that leave `room` pixels between marks. */
function niceStep(span, pixels, room = 90) {
  const rough = (span * room) / Math.max(1, pixels), power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}

function drawAxis(state, ctx, height) {
  const { view, model, palette, gutter, plot } = state;
  const step = Math.max(niceStep(view.to - view.from, plot), 1);
  ctx.font = SANS;
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  for (let moment = Math.ceil(view.from / step) * step; moment <= view.to; moment += step) {
    const x = Math.round(state.x(moment)) + 0.5;
    ctx.fillStyle = palette.line;
    ctx.fillRect(x - 0.5, AXIS - 4, 1, height);
    const label = momentText(model, moment, step), half = ctx.measureText(label).width / 2;
    ctx.fillStyle = palette.faint;
    if (x - half > gutter - 6 && x + half < gutter + plot + 4) ctx.fillText(label, x, AXIS / 2 - 1);
  }
}

/** Faults behind everything, from `top` on, with a line where each begins and ends. */
function drawBands(state, ctx, top, height) {
  const { model, view, palette, gutter, plot } = state;
  ctx.save();
  ctx.beginPath();
  ctx.rect(gutter, top, plot, height);
  ctx.clip();
  for (const fault of model.faults) {
    const stop = fault.stop ?? model.last;
    if (stop < view.from || fault.start > view.to) continue;
    const left = state.x(fault.start), right = Math.max(left + 1, state.x(stop));
    ctx.fillStyle = palette.band;
    ctx.fillRect(left, top, right - left, height);
    ctx.fillStyle = palette.fault;
    ctx.globalAlpha = 0.55;
    ctx.fillRect(left, top, 1, height);
    if (fault.stop !== null) ctx.fillRect(right - 1, top, 1, height);
    ctx.globalAlpha = 1;
  }
  ctx.restore();
}

/** Which strip each fault is named in, so that names of faults that overlap do not. */
function bandRows(model) {
  const until = [];
  for (const fault of model.faults) {
    let row = until.findIndex((moment) => moment <= fault.start);
    if (row < 0) row = until.length < BAND_ROWS_MAX ? until.length : BAND_ROWS_MAX - 1;
    until[row] = Math.max(until[row] ?? 0, fault.stop ?? Infinity);
    fault.row = row;
  }
  return until.length;
}

function drawBandNames(state, ctx) {
  const { model, view, palette, gutter, plot } = state;
  ctx.font = SANS;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const fault of model.faults) {
    const stop = fault.stop ?? model.last;
    if (stop < view.from || fault.start > view.to) continue;
    const left = Math.max(gutter, state.x(fault.start)), right = Math.min(gutter + plot, Math.max(left + 2, state.x(stop)));
    const y = AXIS + fault.row * BAND_ROW;
    ctx.fillStyle = palette["fault-ground"];
    ctx.fillRect(left, y, right - left, BAND_ROW - 2);
    ctx.fillStyle = palette.fault;
    ctx.fillRect(left, y, right - left, 2);
    const label = cut(ctx, fault.proven ? fault.name : `${fault.name} (unproven)`, right - left - 10);
    ctx.fillStyle = palette["fault-ink"];
    if (label) ctx.fillText(label, left + 6, y + BAND_ROW / 2);
  }
}

/** The text as far as it fits; nothing at all when hardly any of it would. */
function cut(ctx, text, room) {
  if (room < 14) return "";
  if (text.length > 200) text = text.slice(0, 200);
  if (ctx.measureText(text).width <= room) return text;
  const kept = firstAtLeast(text.length, (length) => ctx.measureText(`${text.slice(0, length + 1)}…`).width > room);
  return kept < 3 ? "" : `${text.slice(0, kept)}…`;
}

function drawLanes(state) {
  const { ctx, width, height } = fitted(state.canvases.lanes);
  const { palette, gutter, lanes, laneHeight, scroll } = state, head = state.head;
  const first = Math.max(0, Math.floor(scroll / laneHeight)), last = Math.min(lanes.length - 1, Math.floor((scroll + height - head) / laneHeight));
  drawAxis(state, ctx, height);
  drawBands(state, ctx, head, height - head);
  ctx.save();
  ctx.beginPath();
  const above = state.model.anomalies.length ? FLAG : 0;
  ctx.rect(0, head - above, width, height - head + above);
  ctx.clip();
  state.laneTop = (lane) => head + lane * laneHeight - scroll;
  drawLaneNames(state, ctx, first, last);
  ctx.beginPath();
  ctx.rect(gutter, head - above, state.plot, height - head + above);
  ctx.clip();
  drawOperations(state, ctx, first, last);
  ctx.restore();
  drawBandNames(state, ctx);
  ctx.fillStyle = palette["line-strong"];
  ctx.fillRect(gutter - 1, AXIS - 4, 1, height);
  if (!lanes.length) {
    ctx.fillStyle = palette.faint;
    ctx.textAlign = "left";
    ctx.fillText("No operation matches.", gutter + 12, head + 20);
  }
}

function drawLaneNames(state, ctx, first, last) {
  const { palette, gutter, plot, lanes, laneHeight, view } = state;
  ctx.font = MONO;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  for (let lane = first; lane <= last; lane++) {
    const y = state.laneTop(lane);
    ctx.fillStyle = palette.line;
    ctx.globalAlpha = 0.6;
    ctx.fillRect(gutter, Math.round(y + laneHeight) - 1, plot, 1);
    ctx.globalAlpha = 1;
    ctx.fillStyle = lane === state.laneOf(view.selected) ? palette.ink : palette.soft;
    if ((lane - first) % Math.ceil(13 / laneHeight)) continue;
    ctx.fillText(cut(ctx, laneLabel(lanes[lane], view.from, view.to), gutter - 12), gutter - 8, y + laneHeight / 2);
  }
}

function drawOperations(state, ctx, first, last) {
  const { model, view, palette, gutter, plot, lanes, laneHeight } = state;
  const columns = Math.max(1, Math.ceil(plot)), scale = plot / (view.to - view.from), inset = laneHeight > 16 ? 3 : 2;
  const merged = new ImageData(columns, 2 * Math.max(1, last - first + 1)), pixels = new Uint32Array(merged.data.buffer);
  const shade = [0, palette.packed.ok, palette.packed.fail, palette.packed.info], worst = new Uint8Array(columns), fine = new Uint8Array(columns), boxes = [];
  for (let lane = first; lane <= last; lane++) {
    const { rows } = lanes[lane], base = 2 * (lane - first) * columns;
    worst.fill(0);
    fine.fill(0);
    for (let at = firstEndingAfter(model, lanes[lane], view.from); at < rows.length; at++) {
      const row = rows[at], left = (model.start[row] - view.from) * scale;
      if (left > plot) break;
      const right = (model.end[row] - view.from) * scale, rank = Math.min(model.status[row], INFO) + 1;
      if (right - left >= WIDE) { boxes.push(row, lane); continue; }
      const from = Math.max(0, Math.floor(left)), to = Math.min(columns - 1, Math.max(Math.floor(right), from + (rank > 1 ? 1 : 0)));
      for (let x = from; x <= to; x++) if (worst[x] < rank) worst[x] = rank;
      if (rank === 1) fine.fill(1, from, to + 1);
    }
    for (let x = 0; x < columns; x++) {
      pixels[base + x] = shade[fine[x] || worst[x]];
      pixels[base + columns + x] = shade[worst[x]];
    }
  }
  const strip = state.strip;
  strip.width = merged.width;
  strip.height = merged.height;
  strip.getContext("2d").putImageData(merged, 0, 0);
  ctx.imageSmoothingEnabled = false;
  for (let lane = first; lane <= last; lane++) {
    ctx.drawImage(strip, 0, 2 * (lane - first), columns, 2, gutter, state.laneTop(lane) + inset, columns, laneHeight - 2 * inset);
  }
  for (let at = 0; at < boxes.length; at += 2) drawBox(state, ctx, boxes[at], boxes[at + 1], inset);
  drawAnomalies(state, ctx, inset);
  if (view.selected >= 0) outline(state, ctx, view.selected, inset, palette.ink, 2, 8);
}

/** One operation as a box: ok filled, fail an outline with a bar through it, info hatched and open on the right. */
function drawBox(state, ctx, row, lane, inset) {
  const { model, palette, gutter, plot, laneHeight } = state;
  const left = Math.max(gutter - 4, state.x(model.start[row])), right = Math.min(gutter + plot + 4, state.x(model.end[row]));
  const top = state.laneTop(lane) + inset, height = laneHeight - 2 * inset, width = right - left, status = model.status[row];
  ctx.fillStyle = status >= INFO ? palette.doubt : status === FAIL ? palette.fail : palette[width < 30 ? "ok" : "ok-box"];
  if (status === FAIL) {
    ctx.strokeStyle = palette.fail;
    ctx.lineWidth = 1.5;
    ctx.strokeRect(left + 0.75, top + 0.75, Math.max(1, width - 1.5), height - 1.5);
    if (width < 46) ctx.fillRect(left, top + height / 2 - 0.75, width, 1.5);
  } else {
    ctx.fillRect(left, top, Math.max(1, width - 1), height);
    if (status >= INFO) {
      ctx.fillStyle = palette.info;
      ctx.fillRect(left, top, 2, height);
      drawOpenEnd(state, ctx, right, top, height);
      if (model.anomalyOf.has(row) || row === state.view.selected) drawDoubt(state, ctx, right, top + height / 2);
    }
  }
  if (width < 30 || height < 11) return;
  ctx.font = MONO;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const whole = operationText(model, row), text = cut(ctx, ctx.measureText(whole).width > width - 10 ? operationText(model, row, true) : whole, width - 10);
  if (!text) return;
  if (status >= INFO) {
    ctx.fillStyle = palette.surface;
    ctx.fillRect(left + 4, top + 1, ctx.measureText(text).width + 4, height - 2);
  }
  ctx.fillStyle = status === 0 ? "#ffffff" : status === FAIL ? palette.fail : palette.ink;
  ctx.fillText(text, left + 6, top + height / 2 + 0.5);
}

/** It may still happen: an arrow where others end. */
function drawOpenEnd(state, ctx, right, top, height) {
  if (right > state.gutter + state.plot) return;
  ctx.beginPath();
  ctx.moveTo(right - 1, top);
  ctx.lineTo(right + 6, top + height / 2);
  ctx.lineTo(right - 1, top + height);
  ctx.fill();
}

/** Where it matters, the doubt is drawn out to the end: it may take effect at any later time. */
function drawDoubt(state, ctx, left, y) {
  ctx.strokeStyle = state.palette.info;
  ctx.lineWidth = 1.5;
  ctx.setLineDash([2, 4]);
  ctx.beginPath();
  ctx.moveTo(left + 9, y);
  ctx.lineTo(state.gutter + state.plot, y);
  ctx.stroke();
  ctx.setLineDash([]);
}

function outline(state, ctx, row, inset, colour, thickness, least) {
  const lane = state.laneOf(row);
  if (lane < 0) return null;
  const { model, laneHeight } = state, centre = (state.x(model.start[row]) + state.x(model.end[row])) / 2;
  const width = Math.max(least, state.x(model.end[row]) - state.x(model.start[row])), top = state.laneTop(lane) + inset;
  const left = Math.max(-50, centre - width / 2), right = Math.min(state.gutter + state.plot + 50, centre + width / 2);
  if (right <= left) return null;
  ctx.strokeStyle = colour;
  ctx.lineWidth = thickness;
  ctx.strokeRect(left - 1, top - 1, right - left + 2, laneHeight - 2 * inset + 2);
  return { left, top };
}

/** Halo and outline for whatever is part of an anomaly; a numbered flag on what gives it away. */
function drawAnomalies(state, ctx, inset) {
  const { model, palette, mask, view } = state, placed = [];
  const marked = [...model.anomalyOf.keys()].filter((row) => mask[row] && model.end[row] >= view.from && model.start[row] <= view.to);
  const few = marked.length <= RINGS_MAX;
  for (const row of marked) {
    ctx.globalAlpha = 0.25;
    if (few) outline(state, ctx, row, inset, palette.bad, 6, 5);
    ctx.globalAlpha = 1;
    outline(state, ctx, row, inset, palette.bad, few ? 2 : 1.5, few ? 5 : 2);
  }
  ctx.font = `600 ${SANS}`;
  ctx.textAlign = "center";
  for (const anomaly of model.anomalies) {
    const row = anomaly.culpritRow;
    if (row < 0 || !mask[row] || model.end[row] < view.from || model.start[row] > view.to) continue;
    const text = String(anomaly.number), width = 10 + 7 * text.length, y = state.laneTop(state.laneOf(row)) - 9;
    const x = Math.min(state.gutter + state.plot - width + 2, Math.max(state.gutter + 2, state.x(model.start[row])));
    if (placed.some(([left, top]) => Math.abs(left - x) < 24 && Math.abs(top - y) < 15)) continue; // the worse one keeps its flag
    placed.push([x, y]);
    ctx.fillStyle = palette.bad;
    ctx.fillRect(x - 2, y - 4, width, 15);
    ctx.fillStyle = palette.surface;
    ctx.textBaseline = "middle";
    ctx.fillText(text, x - 2 + width / 2, y + 4);
  }
}
