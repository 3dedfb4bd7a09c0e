// After a build: JavaScript that the instances screen needs at first load, compressed. Over the budget is an error.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_KB = 200;
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const FIRST_SCREEN = ["index.html", "src/screens/instances/InstancesScreen.tsx"];

const wanted = new Set();
const visit = (key) => {
  const chunk = manifest[key];
  if (!chunk || wanted.has(chunk.file)) return;
  wanted.add(chunk.file);
  (chunk.imports ?? []).forEach(visit);
};
FIRST_SCREEN.forEach(visit);

const size = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length / 1000;
const files = [...new Set(Object.values(manifest).map((chunk) => chunk.file))].filter((file) => file.endsWith(".js"));
let first = 0;
for (const file of files.sort()) {
  const kb = size(file);
  if (wanted.has(file)) first += kb;
  console.log(`${wanted.has(file) ? "first" : "later"}  ${kb.toFixed(1).padStart(7)} kB  ${file}`);
}
console.log(`first load of the instances screen: ${first.toFixed(1)} kB of ${BUDGET_KB} kB`);
if (first > BUDGET_KB) process.exit(1);
