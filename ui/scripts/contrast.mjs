// Measures the text pairs of tokens.css in both themes: `npm run contrast` (exit 1 below 4.5:1, or 3:1 for shapes).
import { readFileSync } from "node:fs";

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
const tokens = Object.fromEntries(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [name, { light, dark }]),
);
const luminance = (hex) => {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (a, b) => {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
};

const hues = ["sky", "emerald", "slate", "amber", "violet", "indigo", "red", "zinc"];
const grounds = ["canvas", "sunken", "raised", "hover", "chosen", "accent-wash"];
const pairs = [
  ...grounds.flatMap((g) => ["ink", "ink-2", "ink-3", "accent"].map((t) => [t, g, 4.5])),
  ...hues.flatMap((h) => [[`${h}-fg`, `${h}-bg`, 4.5], ...grounds.map((g) => [`${h}-fg`, g, 4.5])]),
  ...hues.flatMap((h) => [[`${h}-solid`, `${h}-bg`, 3], ...grounds.map((g) => [`${h}-solid`, g, 3])]),
  ["on-ink", "ink", 4.5], ["on-ink", "ink-hover", 4.5], ["on-accent", "accent", 4.5], ["on-stuck", "stuck", 4.5],
  ...["canvas", "sunken", "raised"].map((g) => ["line-control", g, 3]),
];

let failed = 0;
for (const theme of ["light", "dark"]) {
  const rows = pairs.map(([text, ground, least]) => ({ text, ground, least, is: ratio(tokens[text][theme], tokens[ground][theme]) }));
  for (const row of rows.filter((r) => r.is < r.least)) {
    failed += 1;
    console.error(`${theme}: ${row.text} on ${row.ground} is ${row.is.toFixed(2)}, needs ${row.least}`);
  }
  for (const least of [4.5, 3]) {
    const worst = rows.filter((r) => r.least === least).sort((a, b) => a.is - b.is)[0];
    console.log(`${theme} ${least === 3 ? "shapes" : "text"}: lowest ${worst.is.toFixed(2)} (${worst.text} on ${worst.ground})`);
  }
}
process.exit(failed ? 1 : 0);
