// What the page does without a timeline: theme, copy buttons; and then the timeline, if there is one.

const THEMES = ["auto", "light", "dark"];
let running = null;

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = `theme: ${name}`;
  if (!running) return;
  running.state.palette = readPalette();
  running.actions.draw();
}

function nextTheme() {
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  try { localStorage.setItem("splitbrain-theme", next); } catch { /* a browser that remembers nothing still shows the theme */ }
  setTheme(next);
}

function remembered() {
  try { return localStorage.getItem("splitbrain-theme"); } catch { return null; }
}

byId("theme").addEventListener("click", nextTheme);
document.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, textarea")) nextTheme();
});
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button, button.dataset.copy));
setTheme(THEMES.includes(remembered()) ? remembered() : "auto");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(document.documentElement.dataset.theme));

// Paper is white: print with light colours, whatever the screen shows.
let onScreen = "auto";
addEventListener("beforeprint", () => {
  onScreen = document.documentElement.dataset.theme;
  setTheme("light");
  if (running) paint(running.state);
});
addEventListener("afterprint", () => setTheme(onScreen));

if (byId("columns")) {
  load().then((model) => { running = start(model); }).catch((error) => {
    byId("unable").textContent = `The timeline cannot be drawn here: ${error.message}. It needs a browser from 2023 or later. The rest of the page is complete.`;
    byId("unable").hidden = false;
    byId("no-script").hidden = true;
  });
}
