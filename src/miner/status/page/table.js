// The table of miners. Only the rows in sight are elements of the page, so that ten thousand sort and filter at once.
import {count, difficulty, element, rate, span} from "./words.js";

const ROW = 37; // pixels: a row and its line
const SPARE = 8; // rows that are drawn beyond each edge

const since = time => (time ? (Date.now() - Date.parse(time)) / 1000 : null);
const COLUMNS = [
  {key: "name", title: "Miner", text: true},
  {key: "connected", title: "State", show: row => element("span", {class: "mark"}, row.connected ? "here" : "gone")},
  {key: "host", title: "Host", text: true},
  {key: "kernel", title: "Kernel", text: true, show: row => row.kernel || "–"},
  {key: "threads", title: "Threads", show: row => (row.threads ? count(row.threads) : "–")},
  {key: "hashrate_hashes_per_second", title: "Hashrate", show: row => (row.connected ? rate(row.hashrate_hashes_per_second) : "–"),
   value: row => (row.connected ? row.hashrate_hashes_per_second : -1)},
  {key: "hashrate_1m_hashes_per_second", title: "1 min", show: row => rate(row.hashrate_1m_hashes_per_second)},
  {key: "hashrate_15m_hashes_per_second", title: "15 min", show: row => rate(row.hashrate_15m_hashes_per_second)},
  {key: "accepted", title: "Accepted", show: row => count(row.accepted)},
  {key: "rejected", title: "Rejected", show: row => count(row.rejected)},
  {key: "stale", title: "Stale", show: row => count(row.stale)},
  {key: "blocks", title: "Blocks", show: row => count(row.blocks)},
  {key: "last_share", title: "Last share", show: row => (row.last_share ? `${span(Math.max(0, since(row.last_share)))} ago` : "–"),
   value: row => (row.last_share ? Date.parse(row.last_share) : 0)},
  {key: "difficulty", title: "Difficulty", show: row => difficulty(row.difficulty)},
];

export class MinerTable {
  constructor(place, counted) {
    this.place = place;
    this.counted = counted;
    this.rows = [];
    this.shown = [];
    this.find = this.which = "";
    this.sorted = {key: "hashrate_hashes_per_second", down: true};
    this.heads = new Map();
    this.body = element("tbody");
    this.table = element("table", {}, element("caption", {class: "visually-hidden"}, "Miners; a column's button sorts by it"),
                         element("thead", {}, this.head()), this.body);
    place.replaceChildren(this.table);
    place.addEventListener("scroll", () => this.soon(), {passive: true});
    new ResizeObserver(() => this.soon()).observe(place);
    this.mark();
  }

  head() {
    const row = element("tr", {"aria-rowindex": 1});
    for (const column of COLUMNS) {
      const button = element("button", {type: "button"}, column.title);
      button.addEventListener("click", () => this.sort(column));
      const head = element("th", {scope: "col", class: column.text || column.key === "connected" ? null : "number"}, button);
      this.heads.set(column.key, head);
      row.append(head);
    }
    return row;
  }

  load(rows) {
    for (const row of rows) row.words = `${row.name} ${row.host} ${row.kernel} ${row.agent}`.toLowerCase();
    this.rows = rows;
    this.arrange();
  }

  filter(find, which) {
    this.find = find.trim().toLowerCase();
    this.which = which;
    this.place.scrollTop = 0;
    this.arrange();
  }

  sort({key, text}) {
    this.sorted = {key, down: this.sorted.key === key ? !this.sorted.down : !text};
    this.mark();
    this.arrange();
  }

  mark() {
    for (const [key, head] of this.heads) {
      if (key === this.sorted.key) head.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  arrange() {
    const {key, down} = this.sorted;
    const column = COLUMNS.find(one => one.key === key);
    const value = column.value ?? (row => row[key]);
    const rows = this.rows.filter(row => (!this.which || row.connected === (this.which === "here"))
                                         && (!this.find || row.words.includes(this.find)));
    const keyed = rows.map((row, place) => [value(row), place, row]);
    const words = new Intl.Collator("en", {numeric: true});
    const compare = column.text ? (a, b) => words.compare(a, b) : (a, b) => a - b;
    keyed.sort((a, b) => (down ? -1 : 1) * compare(a[0], b[0]) || a[1] - b[1]);
    this.shown = keyed.map(entry => entry[2]);
    const all = count(this.rows.length);
    this.counted.textContent = rows.length === this.rows.length ? all : `${count(rows.length)} of ${all}`;
    this.draw();
  }

  soon() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.place.scrollTop / ROW) - SPARE);
    const last = Math.min(this.shown.length, first + Math.ceil(this.place.clientHeight / ROW) + 2 * SPARE);
    const from = Math.min(first, last);
    this.table.setAttribute("aria-rowcount", this.shown.length + 1);
    this.body.replaceChildren(
      ...space(from), ...this.shown.slice(from, last).map((row, place) => drawnRow(row, from + place)), ...space(this.shown.length - last));
    if (!this.shown.length) {
      const words = this.rows.length ? "No miner is like that." : "No miner has joined yet.";
      this.body.append(element("tr", {}, element("td", {class: "empty", colspan: COLUMNS.length}, words)));
    }
  }
}

function space(rows) {
  if (rows <= 0) return [];
  const cell = element("td", {colspan: COLUMNS.length});
  cell.style.height = `${rows * ROW}px`;
  return [element("tr", {class: "space", "aria-hidden": "true"}, cell)];
}

function drawnRow(row, place) {
  const made = element("tr", {class: row.connected ? null : "gone", "aria-rowindex": place + 2});
  for (const column of COLUMNS) {
    const shown = column.show ? column.show(row) : row[column.key];
    const kind = column.text ? "text" : column.key === "connected" ? null : "number";
    made.append(element("td", {class: kind, title: column.text ? row[column.key] : null}, shown));
  }
  return made;
}
