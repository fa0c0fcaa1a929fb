// All that is known of one operation, in words; and the table of operations in view.

function showDetails(state, actions) {
  const box = byId("details"), { model, view } = state, row = view.selected;
  box.replaceChildren();
  if (row < 0) {
    box.append(el("p", { class: "quiet" }, "Click an operation to see all that is known of it. Press ? for keys and filters."));
    box.append(...anomalyButtons(model, actions));
    return;
  }
  const status = model.status[row], anomaly = model.anomalyOf.get(row), { words } = model;
  box.append(el("h3", {}, operationText(model, row)));
  box.append(el("p", { class: `meaning ${STATUS[status]}` }, el("b", {}, STATUS[status]), ": it ", MEANING[status]));
  if (anomaly) {
    const culprit = anomaly.culpritRow === row ? "This gives away anomaly " : "Part of anomaly ";
    box.append(el("div", { class: "found" }, el("p", {}, culprit, el("b", {}, String(anomaly.number)), `: ${anomaly.sentence}`),
      el("button", { type: "button", onclick: () => actions.onlyAnomaly(), title: "Only the operations that show it; again: all (m)" }, "only what shows it")));
  }
  const list = el("dl");
  for (const [name, text] of factsOf(model, row)) if (text !== "" && text !== "null") list.append(el("dt", {}, name), el("dd", {}, text));
  box.append(list);
  const values = [["asked", model.argument[row]], ["answered", model.status[row] === RUNNING ? 0 : model.result[row]]]
    .filter(([, code]) => code).map(([name, code]) => `${name} ${words.values[code]}`);
  if (values.length) box.append(el("pre", {}, values.join("\n")));
  box.append(el("div", { class: "buttons" },
    el("button", { type: "button", onclick: () => actions.step(-1), title: "Previous in the lane (,)" }, "‹ before"),
    el("button", { type: "button", onclick: () => actions.step(1), title: "Next in the lane (.)" }, "after ›"),
    el("button", { type: "button", onclick: () => actions.fit(), title: "Fit it to the window (f)" }, "fit"),
    el("button", { type: "button", onclick: () => actions.onlyKey(), title: "Only operations on its key (k)" }, "only this key"),
    el("button", { type: "button", onclick: (event) => copy(event.target, location.href) }, "copy link")));
}

const BUTTONS_MAX = 4;

/** With nothing selected, the way to what broke. */
function anomalyButtons(model, actions) {
  const known = model.anomalies.filter((one) => one.rows.length);
  const buttons = known.slice(0, BUTTONS_MAX).map((one) => el("button", { type: "button", class: "jump", onclick: () => actions.anomaly(one.number) },
    el("b", { class: "flag" }, String(one.number)), el("span", {}, one.sentence)));
  return known.length > BUTTONS_MAX ? [...buttons, el("p", { class: "quiet" }, `and ${known.length - BUTTONS_MAX} more above`)] : buttons;
}

function factsOf(model, row) {
  const { words } = model, start = model.start[row], completion = model.completion[row];
  const faults = model.faults.filter((fault) => fault.start <= model.end[row] && (fault.stop ?? Infinity) >= start).map((fault) => fault.name);
  return [
    ["process", processText(model, model.process[row])],
    ["key", words.keys[model.key[row]]],
    ["node", words.names[model.node[row]]],
    ["session", model.session[row] === model.process[row] ? "" : words.names[model.session[row]]],
    ["from", momentText(model, start)],
    ["to", model.took[row] < 0 ? "unknown" : momentText(model, model.end[row])],
    ["took", lengthText(model, model.took[row])],
    ["version", model.generation[row] < 0 ? "" : `generation ${model.generation[row]}, index ${model.log_index[row]}`],
    ["error", words.errors[model.error[row]]],
    ["faults", faults.slice(0, 4).join("; ") + (faults.length > 4 ? ` and ${faults.length - 4} more` : "")],
    ["events", completion ? `${model.index[row]} and ${model.index[row] + completion}` : String(model.index[row])],
  ];
}

/** The key for it has no button to answer on, so the section's note does. */
function copyAddress() {
  const note = byId("said");
  navigator.clipboard?.writeText(location.href).then(() => { note.textContent = "Link copied."; }, () => { note.textContent = "The browser would not let the link be copied."; });
  setTimeout(() => { note.textContent = ""; }, 2000);
}

async function copy(button, text) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = "select it to copy"; // the browser would not let us
  }
  setTimeout(() => { button.textContent = before; }, 1200);
}

const ROWS_SHOWN = 200;

/** Rows of the window in the filter, in order, as many as the table takes; and how many there are. */
function rowsInView(state) {
  const { model, view, mask } = state, rows = [];
  let total = 0;
  for (let row = 0; row < model.n; row++) {
    if (!mask[row] || model.end[row] < view.from || model.start[row] > view.to) continue;
    if (total++ < ROWS_SHOWN) rows.push(row);
  }
  return { rows, total };
}

function showTable(state, actions) {
  if (!byId("in-view").open) return;
  const { model, view } = state, { rows, total } = rowsInView(state), { words } = model;
  byId("rows").replaceChildren(...rows.map((row) => {
    const button = el("button", { type: "button", class: "plain", onclick: () => actions.select(row) }, operationText(model, row));
    const cells = [String(model.index[row]), momentText(model, model.start[row]), processText(model, model.process[row]), button,
      words.keys[model.key[row]], STATUS[model.status[row]], lengthText(model, model.took[row]), words.names[model.node[row]]];
    const line = el("tr", {}, ...cells.map((cell) => el("td", {}, cell === "null" ? "" : cell)));
    if (row === view.selected) line.setAttribute("aria-current", "true");
    return line;
  }));
  byId("rows-note").textContent = total > rows.length ? `The first ${rows.length} of ${countText(total)} in view; zoom in or filter to see the others.` : `${countText(total)} in view.`;
}

/** A short note beside the pointer: what lies there. */
function showCard(plots, x, y, lines) {
  const card = byId("card");
  card.hidden = !lines;
  if (!lines) return;
  card.replaceChildren(...lines.map((line, at) => el(at ? "div" : "b", {}, line)));
  const room = plots.getBoundingClientRect(), { width, height } = card.getBoundingClientRect();
  card.style.left = `${Math.max(0, Math.min(x + 14, room.width - width - 4))}px`;
  card.style.top = `${y + 18 + height > room.height ? y - height - 12 : y + 18}px`;
}
