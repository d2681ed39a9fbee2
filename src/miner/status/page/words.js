// Numbers and times as people read them. Hashrates are in hashes a second, times in RFC 3339.

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

/** A number as its digits and its unit with a prefix: [“12.3”, “kH/s”]. */
export function scaled(value, unit) {
  let power = 0;
  while (value >= 999.5 && power < PREFIXES.length - 1) {
    value /= 1000;
    power += 1;
  }
  return [digits(value), PREFIXES[power] + unit];
}

export const rate = value => scaled(value, "H/s").join("\u00a0");

function digits(value) {
  if (value === 0 || Number.isInteger(value) && value < 1000) return String(value);
  return value < 0.01 ? value.toExponential(1) : value.toPrecision(3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

export const count = value => value.toLocaleString("en-GB").replaceAll(",", "\u202f");

export function difficulty(value) {
  if (!value) return "–";
  return value >= 1000 ? scaled(value, "").join("\u202f") : Number(value.toPrecision(4)).toString();
}

export function milliseconds(seconds) {
  const value = seconds * 1000;
  if (!value) return "0\u00a0ms";
  if (value >= 1000) return `${digits(seconds)}\u00a0s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)}\u00a0ms`;
}

const UNITS = [["y", 31557600], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A time span by its two largest units: “2 d 3 h”. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1) return "< 1\u00a0s";
  if (seconds > 1000 * 31557600) return "> 1000\u00a0y";
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  let rest = seconds;
  return UNITS.slice(first, first + 2).map(([unit, size], place, all) => {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    return whole || !place ? `${whole}\u00a0${unit}` : "";
  }).filter(Boolean).join(" ");
}

export const clock = time => new Date(time).toLocaleTimeString("en-GB");

export function moment(time) {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock(time) : `${date.toISOString().slice(0, 10)} ${clock(time)}`;
}

/** An element with this text; `properties` are its attributes. */
export function element(name, properties = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...content.filter(part => part !== null && part !== undefined));
  return made;
}
