/** Further filters, the columns, and the list as a file. */

import { Menu, MenuButton, MenuItem, MenuItems } from "@headlessui/react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { Instance } from "@/api/client";
import { blueprintsQuery, providersQuery } from "@/lib/catalogue";
import { useLater } from "@/lib/later";
import { held } from "@/live/store";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";

import type { Line } from "./arrange";
import { COLUMN_LOOKS, COLUMNS, useHiddenColumns } from "./columns";
import type { InstanceFilter } from "./filters";
import { ViewsMenu } from "./ViewsMenu";

interface ListMenusProps {
  filter: InstanceFilter;
  onChange: (change: Partial<InstanceFilter>) => void;
  loadAll: () => Promise<void>;
  lines: readonly Line[];
}

export function ListMenus({ filter, onChange, loadAll, lines }: ListMenusProps) {
  const { hidden, toggle } = useHiddenColumns();
  const [busy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    setBusy(true);
    await loadAll();
    setBusy(false);
    saveCsv(lines);
  };
  return (
    <>
      <ViewsMenu />
      <FilterMenu filter={filter} onChange={onChange} />
      <Menu>
        <MenuButton className="btn" data-kind="quiet">
          Columns
          <Icon name="down" />
        </MenuButton>
        <MenuItems className="menu-items" anchor={{ to: "bottom end", gap: 4, padding: 8 }}>
          {COLUMNS.map((column) => (
            <MenuItem key={column}>
              <button type="button" role="menuitemcheckbox" aria-checked={!hidden.has(column)} onClick={(event) => (event.preventDefault(), toggle(column))}>
                <span className="tick">{!hidden.has(column) && <Icon name="check" />}</span>
                {COLUMN_LOOKS[column].title}
              </button>
            </MenuItem>
          ))}
        </MenuItems>
      </Menu>
      <Button kind="quiet" busy={busy} onClick={() => void save()}>
        CSV
      </Button>
    </>
  );
}

const HEALTHS = ["healthy", "degraded", "unreachable", "unknown"];

function FilterMenu({ filter, onChange }: Pick<ListMenusProps, "filter" | "onChange">) {
  const enabled = useLater();
  const { data: blueprints = [] } = useQuery({ ...blueprintsQuery, enabled });
  const { data: providers = [] } = useQuery({ ...providersQuery, enabled });
  const groups = [
    { key: "blueprint" as const, title: "Blueprint", values: blueprints.map((one) => one.name) },
    { key: "provider" as const, title: "Provider", values: providers.map((one) => one.name) },
    { key: "health" as const, title: "Health", values: HEALTHS },
  ];
  const active = [filter.blueprint, filter.provider, filter.health].filter(Boolean);
  return (
    <Menu>
      <MenuButton className="btn" data-kind="quiet" data-keep="">
        {active.length > 0 ? active.join(", ") : "Filter"}
        <Icon name="down" />
      </MenuButton>
      <MenuItems className="menu-items" anchor={{ to: "bottom end", gap: 4, padding: 8 }}>
        {groups.map(({ key, title, values }) => (
          <div key={key} role="group" aria-label={title}>
            <h3 className="menu-title">{title}</h3>
            {values.map((value) => (
              <MenuItem key={value}>
                <button type="button" role="menuitemradio" aria-checked={filter[key] === value} onClick={() => onChange({ [key]: filter[key] === value ? "" : value })}>
                  <span className="tick">{filter[key] === value && <Icon name="check" />}</span>
                  {value}
                </button>
              </MenuItem>
            ))}
          </div>
        ))}
      </MenuItems>
    </Menu>
  );
}

const FIELDS: readonly (keyof Instance & string)[] = ["name", "status", "health", "health_checked_at", "blueprint", "provider", "host", "role", "endpoint", "version", "error_message", "created_at", "updated_at", "id"];

function cell(value: unknown): string {
  const text = value === null || value === undefined ? "" : String(value);
  // A spreadsheet takes a leading sign for a formula.
  const safe = /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function saveCsv(lines: readonly Line[]): void {
  const rows = lines.flatMap((line) => {
    const row = held.get(line.id);
    return row === undefined ? [] : [FIELDS.map((field) => cell(row.record[field])).join(",")];
  });
  const url = URL.createObjectURL(new Blob([[FIELDS.join(","), ...rows].join("\n") + "\n"], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `berth-instances-${new Date().toISOString().slice(0, 10)}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}
