// What the pages do beyond links and forms: the theme, the search key, the readout of a heat map, and the chart of days and hours.
"use strict";

const root = document.documentElement;

// ── Theme ──
const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const themeSwitch = document.querySelector("[data-theme-switch]");
if (themeSwitch) {
  const name = () => { themeSwitch.textContent = isDark() ? "Light theme" : "Dark theme"; };
  themeSwitch.hidden = false;
  name();
  themeSwitch.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage may be refused */ }
    name();
    drawAll();
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());

// ── Search: "/" goes there, arrows walk the hits, Escape leaves ──
const search = document.querySelector("[data-search]");
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !typing && search) { event.preventDefault(); search.focus(); search.select(); }
  const box = event.target.closest?.(".search");
  if (!box) return;
  if (event.key === "Escape") { document.activeElement.blur(); return; }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const stops = [search, ...box.querySelectorAll(".hits a")];
  const next = stops[stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) { event.preventDefault(); next.focus(); }
});

// ── Heat map: the hour under the pointer, read from the table below ──
function readHour(event) {
  const cells = event.target.closest?.(".cells-box");
  const figure = cells?.closest("[data-heat]");
  if (!figure) return;
  const box = cells.getBoundingClientRect();
  const rows = figure.querySelectorAll(".hours tbody tr");
  const day = Math.min(rows.length - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * rows.length)));
  const hour = Math.min(23, Math.max(0, Math.floor((event.clientY - box.top) / box.height * 24)));
  const cell = rows[day]?.cells[hour + 1];
  if (!cell) return;
  const words = cell.textContent.trim();
  const value = words.replace(" e", "");
  const period = (cell.dataset.p ?? "").replaceAll("_", " ");
  const known = /\d/.test(value) ? `${value} ${figure.dataset.unit}${words.endsWith(" e") ? ", estimated" : ""}` : value === "–" ? "no such hour" : value;
  figure.querySelector("[data-readout]").textContent = [`${rows[day].cells[0].textContent.trim()}, ${hour}:00 – ${hour + 1}:00`, period, known].filter(Boolean).join(" · ");
}
document.addEventListener("pointermove", readHour);
document.addEventListener("pointerdown", readHour);

// ── Days and hours against last year: the table is the source of the chart ──
const drawn = new Map();

const STEP_NAMES = {
  hour: (zone) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone }),
  week: (zone) => new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", timeZone: zone }),
  day: (zone) => new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: zone }),
  month: (zone) => new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: zone }),
};

function draw(figure) {
  const canvas = figure.querySelector("[data-canvas]");
  if (!canvas || typeof uPlot === "undefined") return;
  drawn.get(figure)?.destroy();
  const rows = [...figure.querySelectorAll("tr[data-x]")];
  const known = (text) => (text === undefined || text === "" ? null : Number(text));
  const column = (name) => rows.map((row) => known(row.dataset[name]));
  const values = [rows.map((row) => Number(row.dataset.x)), column("lo"), column("hi"), column("v"), column("l"), column("t")];
  const { live, view, zone, unit } = figure.dataset;
  const isBars = live !== "hour";
  if (!isBars && rows.length > 1) {  // an interval lasts to the next one: the last is drawn to its end
    const step = values[0][1] - values[0][0];
    values.forEach((each, n) => each.push(n ? each.at(-1) : each.at(-1) + step));
  }
  const style = getComputedStyle(figure);
  const colour = (name) => style.getPropertyValue(name).trim();
  const hue = colour("--c").startsWith("var") ? colour("--electric") : colour("--c");
  const readout = figure.querySelector("[data-readout]");
  const axis = { stroke: colour("--muted"), font: `11px ${style.fontFamily}`, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const hasDegrees = values[5].some((each) => each !== null);
  const hasBand = values[1].some((each) => each !== null);
  const half = live === "month" ? 15 * 86400 : 43200;
  const names = (STEP_NAMES[view === "week" ? "week" : live] ?? STEP_NAMES.day)(zone);
  const tell = (plot) => {
    const at = plot.cursor.idx;
    if (at == null || !rows[at]) { readout.textContent = ""; return; }
    const [, low, high, now, then, degrees] = values.map((each) => each[at]);
    const words = [rows[at].cells[0].textContent, `${now ?? "unknown"} ${unit}`];
    if (then != null) words.push(`${figure.dataset.lastYear} ${then} ${unit}`);
    if (low != null) words.push(`homes alike ${low} – ${high}`);
    if (degrees != null) words.push(`${degrees} °C`);
    readout.textContent = words.join(" · ");
  };
  const open = (plot) => plot.over.addEventListener("click", () => { if (plot.cursor.idx != null) rows[plot.cursor.idx].querySelector("a")?.click(); });
  const meant = rows.flatMap((row, n) => (row.dataset.meant === undefined ? [] : [n]));
  const shade = (plot) => {  // the stretch that is spoken of
    const from = plot.valToPos(values[0][meant[0]], "x", true), to = plot.valToPos(values[0][Math.min(meant.at(-1) + 1, values[0].length - 1)], "x", true);
    plot.ctx.fillStyle = `color-mix(in oklab, ${colour("--alarm")} 14%, transparent)`;
    plot.ctx.fillRect(from, plot.bbox.top, Math.max(to - from, 2), plot.bbox.height);
  };
  const path = isBars ? undefined : uPlot.paths.stepped({ align: 1 });
  const quiet = { width: 0, points: { show: false }, paths: path };
  drawn.set(figure, new uPlot({
    width: canvas.clientWidth, height: 220, padding: [10, hasDegrees ? 0 : isBars ? 10 : 22, 0, 0], legend: { show: false }, cursor: { y: false, drag: { x: false, y: false }, points: { show: !isBars } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zone),
    scales: {
      x: { range: (plot, low, high) => isBars ? [low - half, high + half] : [low, high] },
      y: { range: (plot, low, high) => [Math.min(0, low), (high || 1) * 1.08] },
      degrees: { range: (plot, low, high) => [Math.floor(low - 2), Math.ceil(high + 2)] },
    },
    axes: [
      { ...axis, size: 26, grid: { show: false }, space: view === "week" ? 90 : 50, splits: live === "month" ? () => rows.map((row) => Number(row.dataset.x)) : undefined, values: (plot, splits) => splits.map((at) => names.format(at * 1e3)) },
      { ...axis, size: 48 },
      { ...axis, show: hasDegrees, scale: "degrees", side: 1, size: 40, grid: { show: false }, values: (plot, splits) => splits.map((at) => `${at}°`) },
    ],
    bands: hasBand ? [{ series: [2, 1], fill: `color-mix(in oklab, ${colour("--edge")} 26%, transparent)` }] : [],
    series: [
      {},
      { ...quiet, stroke: "transparent" },
      { ...quiet, stroke: "transparent" },
      isBars
        ? { fill: `color-mix(in oklab, ${hue} 66%, ${colour("--surface")})`, width: 0, paths: uPlot.paths.bars({ size: [0.68, 40] }), points: { show: false } }
        : { stroke: hue, fill: `color-mix(in oklab, ${hue} 22%, transparent)`, width: 2, paths: path, points: { show: false } },
      { stroke: colour("--edge"), width: 1.6, dash: [5, 4], paths: path, points: { show: false } },
      { scale: "degrees", stroke: colour("--forecast") || colour("--muted"), width: 1.8, dash: [1, 3], points: { show: false }, spanGaps: true },
    ],
    hooks: { setCursor: [tell], ready: isBars ? [open] : [], drawClear: meant.length ? [shade] : [] },
  }, values, canvas));
}

function drawAll() { document.querySelectorAll("[data-live]").forEach(draw); }

let waiting;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 120); });
document.addEventListener("htmx:after:swap", () => {
  for (const figure of drawn.keys()) if (!figure.isConnected) drawn.delete(figure);
  const month = document.querySelector("#drill [data-month]")?.dataset.month;  // the month that is open is the one that is marked
  for (const link of document.querySelectorAll(".months a[href*='?month=']")) link.toggleAttribute("aria-current", link.getAttribute("href") === month);
  drawAll();
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("[hx-target='#drill']")) document.addEventListener("htmx:after:swap", () => document.querySelector("#drill")?.scrollIntoView({ block: "nearest" }), { once: true });
});
drawAll();

// ── One box chooses all of a list ──
document.addEventListener("change", (event) => {
  if (!event.target.matches?.("[data-choose-all]")) return;
  for (const box of event.target.closest("form").querySelectorAll("input[name=chosen]")) box.checked = event.target.checked;
});

// ── A link to a line of a bill opens it ──
const wanted = location.hash.startsWith("#line-") && document.querySelector(location.hash);
if (wanted) addEventListener("load", () => { wanted.open = true; });
