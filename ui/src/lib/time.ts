/** Times as a chart has depths: the figure strong, the unit small, at most two units. */

export type Sounding = readonly [figure: string, unit: string][];

const UNITS: readonly [seconds: number, unit: string][] = [
  [31_557_600, "y"],
  [2_629_800, "mo"],
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
  [1, "s"],
];

function whole(total: number, most: number): Sounding {
  const first = UNITS.findIndex(([seconds]) => total >= seconds);
  const start = first < 0 ? UNITS.length - 1 : first;
  const [size, unit] = UNITS[start] as [number, string];
  const figure = Math.floor(total / size);
  const next = UNITS[start + 1];
  if (most < 2 || next === undefined || start < 3) return [[String(figure), unit]];
  const rest = Math.floor((total - figure * size) / next[0]);
  return rest === 0 ? [[String(figure), unit]] : [[String(figure), unit], [String(rest).padStart(2, "0"), next[1]]];
}

/** A duration: tenths under ten seconds, two units from a minute up to a day, one beyond. */
export function duration(seconds: number): Sounding {
  const value = Math.max(0, seconds);
  if (value > 0 && value < 0.05) return [[String(Math.max(1, Math.round(value * 1000))), "ms"]];
  if (value < 9.95) return [[value < 0.05 ? "0" : value.toFixed(1), "s"]];
  return whole(Math.round(value), 2);
}

/** What still grows, told every second: no tenths. */
export function ticking(seconds: number): Sounding {
  return whole(Math.max(0, Math.floor(seconds)), 2);
}

/** A distance in time: one unit, no tenths. */
export function age(seconds: number): Sounding {
  return whole(Math.max(0, Math.floor(seconds)), 1);
}

export function plain(sounding: Sounding): string {
  return sounding.map(([figure, unit]) => `${figure} ${unit}`).join(" ");
}

export function secondsBetween(from: string | number | null | undefined, to: string | number): number | null {
  if (from === null || from === undefined) return null;
  return (new Date(to).getTime() - new Date(from).getTime()) / 1000;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

export function clock(time: string | number): string {
  return CLOCK.format(new Date(time));
}

const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

/** The hour that something is counted by. */
export function hour(time: string | number): string {
  return HOUR.format(new Date(time));
}

export function day(time: string | number): string {
  return DAY.format(new Date(time));
}

const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

/** A day of this year or the next, where the year goes without saying. */
export function shortDay(time: string | number): string {
  return SHORT_DAY.format(new Date(time));
}

export function absolute(time: string | number): string {
  return `${day(time)}, ${clock(time)} UTC`;
}
