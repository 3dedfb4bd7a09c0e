/** Statuses and operations have names in one file alone: everything else learns them from the server. */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

import { describe, expect, it } from "vitest";

const SOURCE = join(import.meta.dirname, "..");
const CONTRACT = join(SOURCE, "../../docs/openapi.json");
const THE_TABLE = "lib/look.ts";

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "generated" ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) && !/\.test\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

function namesOf(schema: string): string[] {
  const contract = JSON.parse(readFileSync(CONTRACT, "utf8")) as { components: { schemas: Record<string, { enum?: string[] }> } };
  return contract.components.schemas[schema]?.enum ?? [];
}

const names = new Set([...namesOf("Status"), ...namesOf("Operation"), "cancel"]);

/** Where a text is a name of the table: quoted, and nothing else in it. */
function namesIn(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line, index) =>
      [...line.matchAll(/(["'`])([a-z_]+)\1/g)].filter(([, , word]) => names.has(word ?? "")).map(([text]) => `${relative(SOURCE, path)}:${index + 1} ${text}`),
    );
}

describe("names of statuses and operations", () => {
  it("are known from the contract", () => {
    expect(names.size).toBeGreaterThan(30);
  });
  it("stand in the one table of looks and nowhere else", () => {
    const found = sources(SOURCE).filter((path) => relative(SOURCE, path) !== THE_TABLE).flatMap(namesIn);
    expect(found).toEqual([]);
  });
  it("are found where they stand", () => {
    expect(namesIn(join(SOURCE, THE_TABLE)).length).toBeGreaterThan(1);
  });
});
