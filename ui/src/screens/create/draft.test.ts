import { describe, expect, it } from "vitest";

import type { Blueprint } from "@/lib/catalogue";
import { fieldsOf } from "@/lib/schema";

import { bodyOf, commandOf, complaintsOf, EMPTY, nameComplaint } from "./draft";

const blueprint = {
  name: "postgres",
  params_schema: {
    required: ["admin_password"],
    properties: {
      version: { type: "integer", enum: [16, 18], default: 18 },
      port: { anyOf: [{ type: "integer", minimum: 1024, maximum: 65535 }, { type: "null" }], default: null },
      jit: { type: "boolean", default: true },
      greeting: { type: "string", maxLength: 5 },
      admin_password: { type: "string", format: "password" },
    },
  },
} as unknown as Blueprint;
const draft = { ...EMPTY, name: "orders", blueprint: "postgres", provider: "process" };

describe("a form from a blueprint's schema", () => {
  it("knows each field's kind, also of what may be null", () => {
    expect(fieldsOf(blueprint.params_schema).map((field) => field.kind)).toEqual(["choice", "number", "boolean", "text", "secret"]);
  });
  it("sends typed values, and nothing that was left alone", () => {
    const body = bodyOf({ ...draft, params: { version: "16", port: "5433", jit: "false", greeting: "" }, memory_mb: "512", labels: "team=shop tier=gold" }, blueprint);
    expect(body).toEqual({ name: "orders", blueprint: "postgres", provider: "process", params: { version: 16, port: 5433, jit: false }, resources: { memory_mb: 512 }, labels: { team: "shop", tier: "gold" } });
  });
  it("complains where the server would, by the same pointers", () => {
    expect(complaintsOf({ ...draft, name: "9x", params: { port: "80", greeting: "far too long" } }, blueprint)).toEqual({
      "/name": "1 to 63 of a-z, 0-9 and -, a letter first",
      "/params/port": "at least 1024",
      "/params/greeting": "at most 5 characters",
      "/params/admin_password": "is needed",
    });
  });
  it("refuses names that look like ids", () => {
    expect(nameComplaint("ins_01m7")).toBe("looks like an id");
  });
  it("shows the same as a command without the secret", () => {
    expect(commandOf({ ...draft, params: { greeting: "a b", admin_password: "hunter2" } }, blueprint)).toBe(
      "berth create orders --blueprint postgres --provider process --set greeting='a b' --set admin_password=…",
    );
  });
});
