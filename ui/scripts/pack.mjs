// Packs what the build wrote, once for all answers: the API sends a file's `.gz` to browsers that can unpack it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const folder = new URL("../dist/assets/", import.meta.url);
const LEAST_BYTES = 1000;

for (const name of readdirSync(folder).filter((one) => /\.(js|css|svg)$/.test(one))) {
  const whole = readFileSync(new URL(name, folder));
  if (whole.length >= LEAST_BYTES) writeFileSync(new URL(`${name}.gz`, folder), gzipSync(whole, { level: 9 }));
}
