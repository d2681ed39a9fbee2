// Charts over time, drawn as SVG: a line, or bars of shares. Arrow keys and the pointer tell the value of a point.
import {clock, count, element, milliseconds, rate, scaled} from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 170, LEFT = 52, RIGHT = 6, TOP = 8, BOTTOM = 20;

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A round number that is at least `most`, and the step of its grid lines. */
function scaleFor(most) {
  if (!(most > 0)) return [1, 0.5];
  const power = 10 ** Math.floor(Math.log10(most));
  const top = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(round => round * power >= most * 1.05) ?? 15;
  return [top * power, top * power / 2];
}

class Chart {
  constructor(title, {label, tell, values}) {
    this.label = label;
    this.tell = tell;
    this.values = values;
    this.title = title;
    this.samples = [];
    this.spacing = 2000;
    this.at = null;
    this.svg = drawn("svg", {role: "img", tabindex: "0"});
    this.said = element("output", {"aria-live": "polite"});
    this.caption = element("figcaption", {}, element("b", {}, title), this.said);
    this.figure = element("figure", {class: "chart"}, this.caption, this.svg);
    this.svg.addEventListener("pointermove", event => this.pointAt(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.pick(null));
    this.svg.addEventListener("blur", () => this.pick(null));
    this.svg.addEventListener("keydown", event => this.step(event));
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  show(samples, spacing, from, to) {
    Object.assign(this, {samples, spacing, from, to});
    this.draw();
  }

  get width() { return Math.max(160, this.svg.clientWidth); }
  x(time) { return LEFT + (this.width - LEFT - RIGHT) * (time - this.from) / (this.to - this.from || 1); }
  y(value) { return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / this.top); }

  draw() {
    const most = Math.max(0, ...this.samples.map(this.values).filter(value => value !== null));
    const [top, step] = scaleFor(most);
    this.top = top;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const grid = [];
    for (let value = 0; value <= top * 1.001; value += step) {
      const y = Math.round(this.y(value)) + 0.5;
      grid.push(drawn("line", {class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: y, y2: y}),
                drawn("text", {x: LEFT - 7, y: y + 4, "text-anchor": "end"}, most > 0 || value === 0 ? this.label(value) : ""));
    }
    const times = [[LEFT, "start", this.from], [this.width - RIGHT, "end", this.to]];
    if (this.width > 330) times.push([(LEFT + this.width - RIGHT) / 2, "middle", (this.from + this.to) / 2]);
    if (this.from) {
      for (const [x, anchor, time] of times) {
        grid.push(drawn("text", {x, y: HEIGHT - 4, "text-anchor": anchor}, clock(time).slice(0, 5)));
      }
    }
    this.cursor = drawn("line", {class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden"});
    this.svg.replaceChildren(...grid, ...this.marks(), this.cursor);
    this.pick(this.at);
  }

  pointAt(x) {
    const time = this.from + (this.to - this.from) * (x - LEFT) / (this.width - LEFT - RIGHT);
    let best = null;
    for (const sample of this.samples) {
      if (best === null || Math.abs(sample.at - time) < Math.abs(best - time)) best = sample.at;
    }
    this.pick(best);
  }

  step(event) {
    const move = {ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9, Escape: 0}[event.key];
    if (move === undefined || !this.samples.length) return;
    event.preventDefault();
    if (!move) return this.pick(null);
    let place = this.samples.findIndex(sample => sample.at === this.at);
    if (place < 0) place = this.samples.length;
    this.pick(this.samples[Math.min(this.samples.length - 1, Math.max(0, place + move))].at);
  }

  pick(time) {
    const sample = this.samples.find(one => one.at === time);
    this.at = sample ? time : null;
    this.cursor.setAttribute("visibility", sample ? "visible" : "hidden");
    const last = this.samples.at(-1);
    if (sample) {
      for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(sample.at));
      this.said.value = `${clock(sample.at)}  ${this.tell(sample)}`;
    } else {
      this.said.value = "";
    }
    const about = last ? `Newest: ${this.tell(last)}.` : "Nothing yet.";
    this.svg.setAttribute("aria-label", `${this.title} over time. ${about} Arrow keys tell of each point.`);
  }
}

class LineChart extends Chart {
  marks() {
    const runs = [[]];
    let before = null;
    for (const sample of this.samples) {
      const value = this.values(sample);
      if (value === null || before !== null && sample.at - before > 20 * this.spacing) runs.push([]);
      if (value !== null) {
        runs.at(-1).push([this.x(sample.at), this.y(value)]);
        before = sample.at;
      }
    }
    const floor = this.y(0);
    return runs.filter(run => run.length).flatMap(run => {
      if (run.length === 1) return [drawn("circle", {class: "point", cx: run[0][0], cy: run[0][1], r: 2})];
      const line = run.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L");
      return [drawn("path", {class: "area", d: `M${run[0][0].toFixed(1)},${floor}L${line}L${run.at(-1)[0].toFixed(1)},${floor}Z`}),
              drawn("path", {class: "line", d: `M${line}`})];
    });
  }
}

/** Points, one for each sample that has a value: most have none. */
class PointChart extends Chart {
  marks() {
    const points = this.samples.filter(sample => this.values(sample) !== null)
      .map(sample => [this.x(sample.at), this.y(this.values(sample))]);
    const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L");
    return [...(points.length > 1 ? [drawn("path", {class: "line", d: `M${line}`, opacity: 0.45})] : []),
            ...points.map(([cx, cy]) => drawn("circle", {class: "point", cx, cy, r: points.length > 150 ? 1.5 : 2.5}))];
  }
}

class ShareChart extends Chart {
  constructor(...settings) {
    super(...settings);
    this.legend = element("div", {class: "legend", "aria-hidden": "true"},
      ...["accepted", "rejected", "stale"].map(kind => element("span", {class: kind}, kind)));
    this.caption.insertBefore(this.legend, this.said);
  }

  pick(time) {
    super.pick(time);
    if (this.legend) this.legend.hidden = this.at !== null;
  }

  marks() {
    const room = (this.width - LEFT - RIGHT) / ((this.to - this.from) / this.spacing || 1);
    const width = Math.max(1, room * 0.8);
    return this.samples.flatMap(sample => {
      let below = 0;
      return ["accepted", "stale", "rejected"].filter(kind => sample[kind]).map(kind => {
        const y = this.y(below + sample[kind]), height = this.y(below) - y;
        below += sample[kind];
        return drawn("rect", {class: kind, x: (this.x(sample.at) - width).toFixed(1), y: y.toFixed(1),
                              width: width.toFixed(1), height: Math.max(0.5, height).toFixed(1)});
      });
    });
  }
}

const RANGES = {recent: {spacing: 2000, length: 600_000}, long: {spacing: 60_000, length: 86_400_000}};
const POINTS = 300; // in a chart: more can't be told apart

/** The three charts, and the samples that they show. */
export class Charts {
  constructor(place) {
    this.range = "recent";
    this.samples = {recent: [], long: []};
    this.charts = [
      new LineChart("Hashrate", {label: value => scaled(value, "H/s").join(" "), values: sample => sample.hashrate_hashes_per_second,
        tell: sample => `${rate(sample.hashrate_hashes_per_second)}, ${count(sample.miners)} ${sample.miners === 1 ? "miner" : "miners"}`}),
      new ShareChart("Shares", {label: value => (Number.isInteger(value) ? String(value) : ""), values: sample => sample.accepted + sample.rejected + sample.stale,
        tell: sample => `${sample.accepted} accepted, ${sample.rejected} rejected, ${sample.stale} stale`}),
      new PointChart("Latency", {label: milliseconds, values: sample => sample.verdict_seconds,
        tell: sample => (sample.verdict_seconds === null ? "no verdict" : `${milliseconds(sample.verdict_seconds)} until a verdict`)}),
    ];
    place.replaceChildren(...this.charts.map(chart => chart.figure));
  }

  load(history) {
    this.samples = {recent: [], long: []};
    this.add(history);
  }

  add(news) {
    for (const [range, {length, spacing}] of Object.entries(RANGES)) {
      const kept = this.samples[range];
      for (const sample of news[range]) {
        sample.at = Date.parse(sample.time);
        if (!kept.length || sample.at > kept.at(-1).at) kept.push(sample);
      }
      kept.splice(0, Math.max(0, kept.length - length / spacing));
    }
    this.draw();
  }

  pick(range) {
    this.range = range;
    this.draw();
  }

  draw() {
    const {spacing, length} = RANGES[this.range];
    const kept = this.samples[this.range];
    const to = kept.length ? kept.at(-1).at : 0;
    // A young run has all of the width; it grows into the range.
    const reach = Math.min(length, Math.max(kept.length ? to - kept[0].at : 0, 30 * spacing));
    const [samples, every] = thinned(kept, spacing);
    for (const chart of this.charts) chart.show(samples, every, to - reach, to);
  }
}

/** At most POINTS samples: neighbours are put together. */
function thinned(samples, spacing) {
  const each = Math.ceil(samples.length / POINTS);
  if (each < 2) return [samples, spacing];
  const thin = [];
  for (let begin = 0; begin < samples.length; begin += each) {
    const part = samples.slice(begin, begin + each);
    const sum = key => part.reduce((total, sample) => total + sample[key], 0);
    const waits = part.filter(sample => sample.verdict_seconds !== null);
    thin.push({...part.at(-1), hashrate_hashes_per_second: sum("hashrate_hashes_per_second") / part.length,
      accepted: sum("accepted"), rejected: sum("rejected"), stale: sum("stale"),
      verdict_seconds: waits.length ? waits.reduce((total, sample) => total + sample.verdict_seconds, 0) / waits.length : null});
  }
  return [thin, spacing * each];
}
