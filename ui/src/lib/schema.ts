/** The part of JSON Schema that blueprints use, and what a form needs to know of each field. */

export interface FieldSchema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: (string | number | boolean)[];
  const?: unknown;
  anyOf?: FieldSchema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  writeOnly?: boolean;
  items?: FieldSchema;
  properties?: Record<string, FieldSchema>;
  disruption?: string;
  $ref?: string;
}

export interface ParamsSchema {
  properties?: Record<string, FieldSchema>;
  required?: string[];
  $defs?: Record<string, FieldSchema>;
}

export type Kind = "boolean" | "number" | "choice" | "text" | "secret" | "time" | "json";

export interface Field {
  name: string;
  title: string;
  description: string;
  kind: Kind;
  integer: boolean;
  choices: (string | number | boolean)[];
  fallback: unknown;
  required: boolean;
  optional: boolean;
  minimum: number | undefined;
  maximum: number | undefined;
  maxLength: number | undefined;
  pattern: string | undefined;
  disruption: string | null;
}

/** `X | null` is X that may be left out. */
function flat(schema: FieldSchema, defs: Record<string, FieldSchema>): FieldSchema {
  const real = schema.$ref ? { ...defs[schema.$ref.split("/").at(-1) ?? ""], ...schema } : schema;
  const [only, ...others] = (real.anyOf ?? []).filter((one) => one.type !== "null");
  return only !== undefined && others.length === 0 ? { ...flat(only, defs), ...real, type: only.type ?? "" } : real;
}

function kindOf(schema: FieldSchema): Kind {
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "boolean";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string" && schema.format === "date-time") return "time";
  if (schema.type === "string") return schema.format === "password" || schema.writeOnly ? "secret" : "text";
  return "json";
}

export function fieldsOf(schema: ParamsSchema | undefined): Field[] {
  const required = new Set(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, raw]) => {
    const own = flat(raw, schema?.$defs ?? {});
    return {
      name,
      title: own.title ?? name,
      description: own.description ?? "",
      kind: kindOf(own),
      integer: own.type === "integer",
      choices: own.enum ?? [],
      fallback: own.default ?? null,
      required: required.has(name),
      optional: raw.anyOf?.some((one) => one.type === "null") ?? false,
      minimum: own.minimum,
      maximum: own.maximum,
      maxLength: own.maxLength,
      pattern: own.pattern,
      disruption: own.disruption ?? null,
    };
  });
}

/** What was typed, as the value that the API wants; undefined where nothing was said. */
export function valueOf(field: Field, text: string): unknown {
  if (text === "") return undefined;
  if (field.kind === "number") return Number.isFinite(Number(text)) ? Number(text) : text;
  if (field.kind === "boolean") return text === "true";
  if (field.kind === "choice") return field.choices.find((choice) => String(choice) === text) ?? text;
  if (field.kind === "json") return parseJson(text);
  if (field.kind === "time") return Number.isNaN(Date.parse(text)) ? text : new Date(text).toISOString();
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What is wrong with a text before the server is asked; it decides in the end. */
export function complaint(field: Field, text: string): string | null {
  if (text === "") return field.required ? "is needed" : null;
  if (field.kind === "number") return numberComplaint(field, text);
  if (field.kind === "time") return Number.isNaN(Date.parse(text)) ? "is not a time" : null;
  if (field.maxLength !== undefined && text.length > field.maxLength) return `at most ${field.maxLength} characters`;
  if (field.kind === "json" && typeof parseJson(text) === "string" && !text.startsWith('"')) return "is not valid JSON";
  return null;
}

function numberComplaint(field: Field, text: string): string | null {
  const value = Number(text);
  if (!Number.isFinite(value)) return "must be a number";
  if (field.integer && !Number.isInteger(value)) return "must be a whole number";
  if (field.minimum !== undefined && value < field.minimum) return `at least ${field.minimum}`;
  if (field.maximum !== undefined && value > field.maximum) return `at most ${field.maximum}`;
  return null;
}
