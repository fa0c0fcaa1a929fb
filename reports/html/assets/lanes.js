// Puts operations into lanes in which none overlaps, so that a lane can be searched by halving.

const ONE_LANE_EACH = 40; // so many processes get a lane each; of more, later ones take the lanes of those that ended

/** Lanes of the rows that `mask` keeps: {label, rows, owners}, where owners are [first moment, text] in order. */
function buildLanes(model, mask, by) {
  const groups = new Map();
  const codes = { process: model.process, key: model.key, node: model.node }[by];
  for (let row = 0; row < model.n; row++) {
    if (!mask[row]) continue;
    const group = groups.get(codes[row]);
    if (group) group.push(row);
    else groups.set(codes[row], [row]);
  }
  const words = by === "key" ? model.words.keys : model.words.names;
  const ordered = [...groups].sort(([a], [b]) => naturally(String(words[a]), String(words[b])));
  for (const [, rows] of ordered) sortByStart(model, rows);
  return by === "process" ? processLanes(model, ordered) : ordered.flatMap(([code, rows]) => subLanes(model, laneName(words[code]), rows));
}

const laneName = (word) => (word === "null" ? "none" : word);
const naturally = (a, b) => a.localeCompare(b, "en", { numeric: true });

function sortByStart(model, rows) {
  for (let at = 1; at < rows.length; at++) {
    if (model.start[rows[at]] < model.start[rows[at - 1]]) {
      rows.sort((a, b) => model.start[a] - model.start[b]);
      return;
    }
  }
}

function processLanes(model, ordered) {
  const lanes = [], each = ordered.length <= ONE_LANE_EACH;
  const byFirst = each ? ordered : [...ordered].sort(([, a], [, b]) => model.start[a[0]] - model.start[b[0]]);
  for (const [code, rows] of byFirst) {
    const begins = model.start[rows[0]], name = processText(model, code);
    let lane = each ? undefined : lanes.find((one) => one.until < begins);
    if (!lane) lanes.push(lane = { rows: [], owners: [], until: 0 });
    for (const row of rows) lane.rows.push(row);
    lane.owners.push([begins, name]);
    // The completion of an operation in doubt retires its process, so the lane is free from there on.
    lane.until = model.end[rows[rows.length - 1]];
  }
  return lanes.sort((a, b) => naturally(a.owners[0][1], b.owners[0][1]));
}

/** As many lanes for one key or node as operations overlap. */
function subLanes(model, name, rows) {
  const lanes = [];
  for (const row of rows) {
    let lane = lanes.find((one) => one.until <= model.start[row]);
    if (!lane) lanes.push(lane = { rows: [], owners: [[model.first, lanes.length ? "" : name]], until: 0 });
    lane.rows.push(row);
    lane.until = model.end[row];
  }
  return lanes;
}

/** What stands in front of a lane: who has it in this window. */
function laneLabel(lane, from, to) {
  const { owners } = lane;
  const after = firstAtLeast(owners.length, (at) => owners[at][0] > from);
  const shown = Math.max(0, after - 1);
  let more = 0;
  for (let at = shown + 1; at < owners.length && owners[at][0] < to; at++) more++;
  return owners[shown][1] + (more ? ` +${more}` : "");
}

/** The first position in a lane whose operation ends at or after a moment. */
const firstEndingAfter = (model, lane, moment) => firstAtLeast(lane.rows.length, (at) => model.end[lane.rows[at]] >= moment);

/** The row of a lane nearest to a moment within a tolerance, or -1. */
function nearest(model, lane, moment, tolerance) {
  const at = firstEndingAfter(model, lane, moment);
  let best = -1, least = tolerance;
  for (let near = Math.max(0, at - 1); near <= Math.min(lane.rows.length - 1, at + 1); near++) {
    const row = lane.rows[near];
    const away = Math.max(0, model.start[row] - moment, moment - model.end[row]);
    // What is in doubt or failed is what one looks for, so it wins a tie.
    if (away < least || (away === least && best >= 0 && model.status[row] > model.status[best])) [best, least] = [row, away];
  }
  return best;
}
