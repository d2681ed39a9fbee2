// The page of a run: loads what was, then follows what is pushed. All figures are the server's own.
import {Charts} from "./charts.js";
import {MinerTable} from "./table.js";
import {count, difficulty, element, moment, rate, scaled, span} from "./words.js";

const KEPT = {blocks: 100, messages: 200};
const by = id => document.getElementById(id);
const charts = new Charts(by("charts"));
const table = new MinerTable(by("table"), by("count"));
let state = "";
let lastBlock = "", lastMessage = 0, rowsVersion = 0, loadingRows = false;

async function get(path) {
  const answer = await fetch(path, {headers: {Accept: "application/json"}});
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function showSummary(now) {
  const [digits, unit] = scaled(now.hashrate_hashes_per_second, "H/s");
  const all = now.accepted + now.rejected + now.stale;
  const part = number => (all ? `${(100 * number / all).toFixed(1)}%` : "0%");
  tiles([
    ["Hashrate", digits, unit, `1 min ${rate(now.hashrate_1m_hashes_per_second)} · 15 min ${rate(now.hashrate_15m_hashes_per_second)}`],
    ["Shares accepted", count(now.accepted), "", `rejected ${count(now.rejected)} (${part(now.rejected)}) · stale ${count(now.stale)} (${part(now.stale)})`],
    ["Miners here", count(now.miners), "", now.miners_gone ? `${count(now.miners_gone)} gone` : "none has left"],
    ["Blocks found", count(now.blocks), "", `one takes ${span(now.expected_block_seconds)}${now.aux_blocks ? ` · ${count(now.aux_blocks)} on the chain mined along` : ""}`],
    ["Hashes", ...scaled(now.hashes, "H"), `since ${moment(now.started)}, ${span(now.run_seconds)}`],
  ]);
  facts([
    ["Algorithm", now.algorithm], ["Source", now.source], ["Paid to", now.payee], ["Height", now.height && count(now.height)],
    ["Share difficulty", now.share_difficulty && difficulty(now.share_difficulty)],
    ["Block difficulty", now.network_difficulty && difficulty(now.network_difficulty)],
    ["A share takes", now.expected_share_seconds && span(now.expected_share_seconds)],
    ["Last share", now.last_share && moment(now.last_share)], ["Miners connect to", now.address],
    ["Runs for", now.planned_seconds && span(now.planned_seconds)],
  ]);
  by("command").textContent = now.command;
  by("version").textContent = `sparkminer ${now.version}`;
  by("block-count").textContent = now.blocks ? count(now.blocks) : "";
  document.title = `${rate(now.hashrate_hashes_per_second)} – sparkminer`;
  if (now.ended) setState("ended", "ended", `It has ended: ${now.ended}`);
  else if (now.trouble) setState("trouble", "no work", `No contact with the source: ${now.trouble}`);
  else if (!now.job) setState("starting", "starting…", "");
  else setState("ok", "mining", "");
}

function setState(name, words, alert) {
  if (state === name && by("alert").textContent === alert) return;
  state = name;
  by("state").dataset.state = name;
  by("state-text").textContent = words;
  by("alert").textContent = alert;
  by("alert").hidden = !alert;
}

function tiles(wanted) {
  const place = by("tiles");
  if (!place.children.length) {
    place.append(...wanted.map(([title]) => element("div", {class: "tile"}, element("dt", {}, title),
      element("dd", {class: "value"}), element("dd", {class: "more"}))));
  }
  wanted.forEach(([, digits, unit, more], number) => {
    const [, value, below] = place.children[number].children;
    setWords(value, digits + unit, () => value.replaceChildren(digits, ...(unit ? [" ", element("small", {}, unit)] : [])));
    setWords(below, more, () => { below.textContent = more; });
  });
}

function facts(wanted) {
  const known = wanted.filter(([, value]) => value);
  setWords(by("facts"), JSON.stringify(known), () => by("facts").replaceChildren(
    ...known.map(([title, value]) => element("div", {}, element("dt", {}, title), element("dd", {}, value)))));
}

/** Change an element only where it says something else by now. */
function setWords(place, words, change) {
  if (place.words === words) return;
  place.words = words;
  change();
}

function addBlocks(blocks, quietly) {
  for (const block of blocks) {
    const mark = block.time + block.block_hash;
    if (mark <= lastBlock) continue;
    lastBlock = mark;
    const height = block.height === null ? "block" : `height ${count(block.height)}`;
    by("blocks").prepend(element("li", {},
      element("div", {class: "head"}, element("b", {}, height), element("span", {}, block.miner), element("time", {datetime: block.time}, moment(block.time))),
      element("div", {class: "hash"}, block.block_hash)));
    if (!quietly) by("spoken").textContent = `${block.miner} found a block, ${height}.`;
  }
  while (by("blocks").children.length > KEPT.blocks) by("blocks").lastChild.remove();
  by("no-blocks").hidden = by("blocks").children.length > 0;
  by("blocks").hidden = !by("no-blocks").hidden;
}

function addMessages(messages) {
  for (const message of messages) {
    if (message.number <= lastMessage) continue;
    lastMessage = message.number;
    by("log").prepend(element("li", {}, element("time", {datetime: message.time}, moment(message.time)), message.text));
  }
  while (by("log").children.length > KEPT.messages) by("log").lastChild.remove();
}

/** Rows for who can see them: a page in the background loads none. */
async function loadRows(version) {
  if (document.hidden || loadingRows || version && version <= rowsVersion) return;
  loadingRows = true;
  try {
    const rows = await get("/api/v1/miners");
    rowsVersion = rows.version;
    table.load(rows.miners);
  } finally {
    loadingRows = false;
  }
}

async function loadAll() {
  await Promise.all([
    get("/api/v1/summary").then(showSummary),
    get("/api/v1/history").then(history => {
      charts.load(history);
      addBlocks(history.blocks, true);
      addMessages(history.messages);
    }),
    loadRows(0),
  ]);
}

function follow() {
  const stream = new EventSource("/api/v1/stream");
  const on = (name, take) => stream.addEventListener(name, event => take(JSON.parse(event.data)));
  const load = () => loadAll().catch(() => {}); // what is missing comes with the next connection
  on("summary", showSummary);
  on("samples", news => charts.add(news));
  on("blocks", news => addBlocks(news.blocks, false));
  on("messages", news => addMessages(news.messages));
  // Many viewers don't ask at the same moment.
  on("miners", news => setTimeout(() => loadRows(news.version).catch(() => {}), 300 * Math.random()));
  on("reload", load);
  stream.onopen = load;
  stream.onerror = async () => {
    if (state !== "ended") setState("offline", "no connection", "This page has lost its connection; the figures are the last that it had.");
    if (stream.readyState === EventSource.CLOSED) { // it was refused: perhaps the session has ended
      await get("/api/v1/summary").catch(() => {});
      setTimeout(follow, 5000);
    }
  };
}

for (const id of ["find", "which"]) by(id).addEventListener("input", () => table.filter(by("find").value, by("which").value));
document.addEventListener("visibilitychange", () => loadRows(0).catch(() => {}));
by("range").addEventListener("change", event => charts.pick(event.target.value));
follow();
