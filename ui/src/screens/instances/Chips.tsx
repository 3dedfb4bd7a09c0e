/** Live counts that are filters. What is in progress shares one chip, so that the strip does not jump as things move. */

import { Menu, MenuButton, MenuItem, MenuItems } from "@headlessui/react";

import { useLifecycle } from "@/lib/lifecycle";
import { statusLook, statusWord } from "@/lib/look";
import { Icon, Spinner } from "@/parts/Icon";

import type { InstanceFilter } from "./filters";
import { totalOf } from "./useFleet";

interface ChipsProps {
  counts: Record<string, number> | undefined;
  filter: InstanceFilter;
  onChange: (change: Partial<InstanceFilter>) => void;
  children?: React.ReactNode;
}

export function Chips({ counts: said, filter, onChange, children }: ChipsProps) {
  const table = useLifecycle();
  const counts = said ?? {};
  // A figure that was not sent is left out, never guessed.
  const figure = (count: number): React.ReactNode => said && <b>{count}</b>;
  const known = Object.keys(counts).filter((status) => status !== "needs_you" && !table.final.has(status));
  const settled = known.filter((status) => !table.inProgress.has(status));
  const moving = known.filter((status) => table.inProgress.has(status));
  const none = filter.statuses.length === 0 && !filter.needsYou;
  const needs = counts["needs_you"] ?? 0;
  const toggle = (statuses: readonly string[], on: boolean): void => onChange({ statuses: on ? [] : statuses, needsYou: false });
  const same = (statuses: readonly string[]): boolean => statuses.length > 0 && statuses.length === filter.statuses.length && statuses.every((one) => filter.statuses.includes(one));
  return (
    <div className="filters" role="group" aria-label="Filter by status">
      <button type="button" className="chip" aria-pressed={none} onClick={() => onChange({ statuses: [], needsYou: false })}>
        All {figure(totalOf(counts))}
      </button>
      <button
        type="button"
        className="chip"
        aria-pressed={filter.needsYou}
        data-alarm={needs > 0 ? "" : undefined}
        onClick={() => onChange({ statuses: [], needsYou: !filter.needsYou })}
      >
        Needs you {figure(needs)}
      </button>
      <span className="cut" />
      <MovingChip moving={moving} counts={counts} pressed={filter.statuses.some((status) => table.inProgress.has(status))} same={same} toggle={toggle} />
      {settled.map((status) => {
        const look = statusLook(status);
        const on = same([status]);
        return (
          <button key={status} type="button" className="chip" aria-pressed={on} data-hue={look.hue} onClick={() => toggle([status], on)}>
            <Icon name={look.icon} />
            {statusWord(status)} {figure(counts[status] ?? 0)}
          </button>
        );
      })}
      {children}
    </div>
  );
}

interface MovingProps {
  moving: readonly string[];
  counts: Record<string, number>;
  pressed: boolean;
  same: (statuses: readonly string[]) => boolean;
  toggle: (statuses: readonly string[], on: boolean) => void;
}

function MovingChip({ moving, counts, pressed, same, toggle }: MovingProps) {
  const busy = totalOf(counts, moving);
  return (
    <Menu>
      <MenuButton className="chip" data-hue="sky" data-pressed={pressed ? "" : undefined}>
        {busy > 0 && moving.length > 0 ? <Spinner /> : <Icon name="ring" />}
        In progress {moving.length > 0 && <b>{busy}</b>}
        <Icon name="down" />
      </MenuButton>
      <MenuItems className="menu-items" anchor={{ to: "bottom start", gap: 4, padding: 8 }}>
        <MenuItem>
          <button type="button" onClick={() => toggle(moving, same(moving))}>
            <span>All in progress</span>
            <b>{busy}</b>
          </button>
        </MenuItem>
        <div className="rule" role="separator" />
        {moving.map((status) => (
          <MenuItem key={status}>
            <button type="button" data-hue={statusLook(status).hue} onClick={() => toggle([status], same([status]))}>
              <Icon name={statusLook(status).icon} />
              <span>{statusWord(status)}</span>
              <b>{counts[status] ?? 0}</b>
            </button>
          </MenuItem>
        ))}
      </MenuItems>
    </Menu>
  );
}
