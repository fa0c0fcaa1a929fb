// The overview, latency and rate, on the same time axis and with the same fault bands as the lanes.

/** How many operations of each outcome fall into each of `columns` slices, by their start. */
function histogram(state, from, to, columns) {
  const { model, mask } = state, counts = [0, 1, 2].map(() => new Uint32Array(columns)), scale = columns / (to - from);
  for (let row = 0; row < model.n; row++) {
    if (!mask[row]) continue;
    const slice = Math.floor((model.start[row] - from) * scale);
    if (slice >= 0 && slice < columns) counts[Math.min(INFO, model.status[row])][slice]++;
  }
  return counts;
}

/** The whole run: how much happened when, every trouble as a mark, and the window as a frame. */
function drawOverview(state) {
  const { ctx, width, height } = fitted(state.canvases.overview), { model, view, palette, gutter, plot } = state;
  const place = (moment) => gutter + ((moment - model.first) / (model.last - model.first)) * plot;
  const key = `${width} ${state.edition}`;
  if (state.overviewKey !== key) {
    state.overviewKey = key;
    state.overviewCounts = histogram(state, model.first, model.last, Math.max(1, Math.floor(plot / 2)));
  }
  const [ok, fail, info] = state.overviewCounts, highest = Math.max(1, ceilingOf(ok)), columns = ok.length;
  ctx.fillStyle = palette.sunken;
  ctx.fillRect(gutter, 0, plot, height);
  for (const fault of model.faults) {
    ctx.fillStyle = palette["fault-ground"];
    const left = place(fault.start), right = place(fault.stop ?? model.last);
    ctx.fillRect(left, 0, Math.max(1, right - left), height);
    ctx.fillStyle = palette.fault;
    ctx.fillRect(left, 0, Math.max(1, right - left), 2);
  }
  ctx.fillStyle = palette.ok;
  for (let at = 0; at < columns; at++) {
    const tall = Math.min(1, ok[at] / highest) * (height - 16);
    if (tall > 0) ctx.fillRect(gutter + at * 2, height - tall, 1.5, tall);
  }
  for (const [counts, colour, y] of [[fail, palette.fail, 4], [info, palette.info, 9]]) {
    ctx.fillStyle = colour;
    const most = Math.max(1, ...counts);
    for (let at = 0; at < columns; at++) {
      if (!counts[at]) continue;
      ctx.globalAlpha = most < 4 ? 1 : 0.3 + 0.7 * (counts[at] / most); // one is always seen, many stand out
      ctx.fillRect(gutter + at * 2, y, 2, 4);
    }
    ctx.globalAlpha = 1;
  }
  ctx.fillStyle = palette.bad;
  for (const anomaly of model.anomalies) {
    if (anomaly.culpritRow < 0) continue;
    const x = place(model.start[anomaly.culpritRow]);
    ctx.fillRect(x - 1, 0, 2, height);
    ctx.beginPath();
    ctx.moveTo(x - 5, 0);
    ctx.lineTo(x + 5, 0);
    ctx.lineTo(x, 7);
    ctx.fill();
  }
  drawWindow(state, ctx, place(view.from), place(view.to), height);
}

function drawWindow(state, ctx, left, right, height) {
  const { palette, gutter, plot } = state;
  ctx.globalAlpha = 0.72;
  ctx.fillStyle = palette.surface;
  ctx.fillRect(gutter, 0, left - gutter, height);
  ctx.fillRect(right, 0, gutter + plot - right, height);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = palette.ink;
  ctx.lineWidth = 1;
  const wide = Math.max(3, right - left);
  ctx.strokeRect(Math.round(left) + 0.5, 0.5, Math.round(wide) - 1, height - 1);
  ctx.fillStyle = palette.ink;
  for (const x of [left, left + wide]) ctx.fillRect(x - 1.5, height / 2 - 7, 3, 14);
}

/** Latency on a logarithmic scale: every operation a dot, worst outcome on top, and two quantiles of the successful. */
function drawLatency(state) {
  const { ctx, height } = fitted(state.canvases.latency), { model, view, palette, gutter, plot, mask } = state;
  const top = 8, bottom = height - 8, shown = [];
  let least = Infinity, most = 1;
  for (let row = 0; row < model.n; row++) {
    if (!mask[row] || model.took[row] < 0 || model.start[row] > view.to || model.start[row] < view.from) continue;
    shown.push(row);
    const took = Math.max(1, model.took[row]);
    if (took < least) least = took;
    if (took > most) most = took;
  }
  const low = Math.floor(Math.log10(Math.min(least, most))), high = Math.max(low + 1, Math.ceil(Math.log10(most)));
  const y = (took) => bottom - ((Math.log10(Math.max(1, took)) - low) / (high - low)) * (bottom - top);
  state.latencyAt = { shown, y };
  drawBands(state, ctx, 0, height);
  ctx.font = SANS;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (let power = low; power <= high; power++) {
    ctx.fillStyle = palette.line;
    ctx.fillRect(gutter, Math.round(y(10 ** power)), plot, 1);
    ctx.fillStyle = palette.faint;
    ctx.fillText(durationText(10 ** power).replace(".0", ""), gutter - 8, Math.min(height - 7, Math.max(7, y(10 ** power))));
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(gutter, 0, plot, height);
  ctx.clip();
  if (shown.length > DOTS_MAX) drawDensity(state, ctx, shown, y, height);
  else drawDots(state, ctx, shown, y);
  drawQuantiles(state, ctx, shown, y);
  if (view.selected >= 0 && model.took[view.selected] >= 0) ring(state, ctx, state.x(model.start[view.selected]), y(model.took[view.selected]), palette.ink);
  const marked = [...model.anomalyOf.keys()].filter((row) => mask[row] && model.took[row] >= 0 && model.start[row] >= view.from && model.start[row] <= view.to);
  for (const row of marked) {
    if (marked.length <= RINGS_MAX) ring(state, ctx, state.x(model.start[row]), y(model.took[row]), palette.bad);
    else { ctx.fillStyle = palette.bad; ctx.fillRect(state.x(model.start[row]) - 2, y(model.took[row]) - 2, 4, 4); }
  }
  ctx.restore();
}

const DOTS_MAX = 4000, RINGS_MAX = 40; // more rings than this only hide each other

function drawDots(state, ctx, shown, y) {
  const { model, palette } = state;
  for (let rank = 0; rank <= INFO; rank++) {
    ctx.fillStyle = palette.byStatus[rank];
    ctx.globalAlpha = rank ? 1 : 0.75;
    for (const row of shown) {
      if (Math.min(INFO, model.status[row]) === rank) ctx.fillRect(state.x(model.start[row]) - 2, y(model.took[row]) - 2, 4, 4);
    }
  }
  ctx.globalAlpha = 1;
}

/** Many operations: the more in one place, the denser its pixel; what did not end ok is drawn last, and solid. */
function drawDensity(state, ctx, shown, y, height) {
  const { model, view, palette, gutter, plot, strip } = state, wide = Math.ceil(plot), tall = Math.ceil(height);
  const image = new ImageData(wide, tall), pixels = new Uint32Array(image.data.buffer), scale = plot / (view.to - view.from);
  const shade = [palette.packed.ok, palette.packed.fail, palette.packed.info, palette.packed.info], late = [];
  const put = (row, size, lightest, more) => {
    const left = Math.round((model.start[row] - view.from) * scale - size / 2), top = Math.round(y(model.took[row]) - size / 2);
    const colour = shade[model.status[row]] & 0xffffff;
    for (let dy = top; dy < top + size; dy++) {
      for (let dx = left; dx < left + size; dx++) {
        if (dx < 0 || dy < 0 || dx >= wide || dy >= tall) continue;
        const at = dy * wide + dx, alpha = Math.min(255, Math.max(lightest, (pixels[at] >>> 24) + more));
        pixels[at] = (alpha << 24) | colour;
      }
    }
  };
  for (const row of shown) {
    if (model.status[row] === 0) put(row, 2, 96, 18);
    else late.push(row);
  }
  for (const status of [FAIL, INFO, RUNNING]) for (const row of late) if (model.status[row] === status) put(row, status === FAIL ? 2 : 3, status === FAIL ? 170 : 255, 0);
  [strip.width, strip.height] = [wide, tall];
  strip.getContext("2d").putImageData(image, 0, 0);
  ctx.drawImage(strip, gutter, 0);
}

function ring(state, ctx, x, y, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.arc(x, y, 5, 0, 7);
  ctx.stroke();
}

/** Median and 99th percentile of successful operations per slice, from counts in 32 steps per power of ten. */
function drawQuantiles(state, ctx, shown, y) {
  const { model, view, palette, gutter, plot } = state, slices = Math.max(1, Math.floor(plot / 14)), steps = 32, bins = steps * 9;
  const counts = new Uint32Array(slices * bins), totals = new Uint32Array(slices), scale = slices / (view.to - view.from);
  for (const row of shown) {
    if (model.status[row] !== 0) continue;
    const slice = Math.min(slices - 1, Math.floor((model.start[row] - view.from) * scale));
    counts[slice * bins + Math.min(bins - 1, Math.floor(Math.log10(Math.max(1, model.took[row])) * steps))]++;
    totals[slice]++;
  }
  for (const [share, least, dash] of [[0.5, 5, []], [0.99, 40, [4, 3]]]) {
    ctx.beginPath();
    let joined = false;
    for (let slice = 0; slice < slices; slice++) {
      if (totals[slice] < least) { joined = false; continue; }
      let bin = 0;
      for (let seen = counts[slice * bins]; seen < totals[slice] * share; seen += counts[slice * bins + ++bin]);
      const x = gutter + ((slice + 0.5) / slices) * plot, at = y(10 ** ((bin + 0.5) / steps));
      if (joined) ctx.lineTo(x, at);
      else ctx.moveTo(x, at);
      joined = true;
    }
    ctx.setLineDash(dash);
    for (const [colour, thick] of [[palette.surface, 3.5], [palette.ink, 1.5]]) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = thick;
      ctx.stroke();
    }
  }
  ctx.setLineDash([]);
}

/** Completed operations per second, stacked by outcome. */
function drawRate(state) {
  const { ctx, height } = fitted(state.canvases.rate), { model, view, palette, gutter, plot, mask } = state;
  const slices = Math.max(1, Math.floor(plot / 5)), span = view.to - view.from, perSecond = slices / (span / 1e6);
  const counts = [0, 1, 2].map(() => new Float64Array(slices));
  for (let row = 0; row < model.n; row++) {
    if (!mask[row] || model.took[row] < 0) continue;
    const slice = Math.floor(((model.end[row] - view.from) / span) * slices);
    if (slice >= 0 && slice < slices) counts[Math.min(INFO, model.status[row])][slice] += perSecond;
  }
  const sums = counts[0].map((ok, slice) => ok + counts[1][slice] + counts[2][slice]);
  const highest = Math.max(1, ceilingOf(sums)), step = niceStep(highest, height, 34), ceiling = Math.ceil(highest / step) * step, floor = height - 6, room = floor - 8;
  drawBands(state, ctx, 0, height);
  ctx.font = SANS;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (let mark = 0; mark <= ceiling + step / 2; mark += step) {
    const y = Math.round(floor - (mark / ceiling) * room);
    ctx.fillStyle = palette.line;
    ctx.fillRect(gutter, y, plot, 1);
    ctx.fillStyle = palette.faint;
    ctx.fillText(countText(mark), gutter - 8, y);
  }
  const wide = plot / slices;
  for (let slice = 0; slice < slices; slice++) {
    let y = floor;
    const fits = Math.min(1, ceiling / Math.max(1, sums[slice]));
    for (let rank = 0; rank <= INFO; rank++) {
      const tall = ((fits * counts[rank][slice]) / ceiling) * room;
      if (!tall) continue;
      ctx.fillStyle = palette.byStatus[rank];
      ctx.fillRect(gutter + slice * wide, y - Math.max(tall, rank ? 2 : 0), Math.max(1, wide - 1), Math.max(tall, rank ? 2 : 0));
      y -= tall;
    }
  }
  nameCut(state, ctx, sums, ceiling);
}

/** The tallest column says how tall it would be, if it was cut. */
function nameCut(state, ctx, sums, ceiling) {
  const tallest = Math.max(...sums), { palette, gutter, plot } = state;
  if (tallest <= ceiling) return;
  const x = gutter + ((sums.indexOf(tallest) + 0.5) / sums.length) * plot, onLeft = x > gutter + plot / 2;
  ctx.fillStyle = palette.soft;
  ctx.textAlign = onLeft ? "right" : "left";
  ctx.fillText(`${countText(Math.round(tallest))} ${onLeft ? "↗" : "↖"}`, onLeft ? x - 6 : x + 6, 14);
}
