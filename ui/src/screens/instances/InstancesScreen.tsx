/** The fleet: what needs a person first, counts that are filters, everything done from where it is seen. */

import { useCallback, useEffect, useState } from "react";

import { useLifecycle } from "@/lib/lifecycle";
import { useLack } from "@/lib/me";
import { useUi } from "@/lib/ui";
import { useLink } from "@/live/store";
import { Button } from "@/parts/Button";
import { Bones, Failed } from "@/parts/States";

import { BulkBar } from "./BulkBar";
import { Chips } from "./Chips";
import { isNarrowed, useView } from "./filters";
import { InstanceTable } from "./InstanceTable";
import { NoInstances, NothingMatches } from "./Nothing";
import { SearchField } from "./SearchField";
import { useSelection } from "./selection";
import { ListMenus } from "./ListMenus";
import { totalOf, useFleet } from "./useFleet";
import { useLines } from "./useLines";

export default function InstancesScreen() {
  const [view, change] = useView();
  const table = useLifecycle();
  const fleet = useFleet(view.filter);
  const [busy, setBusy] = useState(false);
  const { lines, moves, resort } = useLines(view, table, busy);
  const openCreate = useUi((ui) => ui.openCreate);
  const refused = useLack("operate");
  const paused = useLink((live) => live.link.state === "paused");
  const { loadAll, hasMore } = fleet;
  // A column cannot be sorted by halves.
  useEffect(() => {
    if (view.sort !== "attention" && hasMore) void loadAll();
  }, [view.sort, hasMore, loadAll]);
  useEffect(() => {
    document.title = "Instances · Berth";
  }, []);
  useEffect(() => useSelection.getState().setOrder(lines.map((line) => line.id)), [lines]);
  const onSort = useCallback((sort: typeof view.sort, descending: boolean) => change({ sort, descending }), [change]);
  const counts = fleet.counts ?? {};
  const matching = view.filter.needsYou ? (counts["needs_you"] ?? 0) : totalOf(counts, view.filter.statuses);
  const totals = { settled: settledOf(counts, view.filter.statuses, lines) };
  return (
    <>
      <div className="head">
        <h1>
          Instances<span className="n">{fleet.counts ? fleet.total : ""}</span>
        </h1>
        <SearchField filter={view.filter} onChange={change} />
        <span className="grow" />
        <div className="actions">
          <ListMenus filter={view.filter} onChange={change} loadAll={fleet.loadAll} lines={lines} />
          <Button kind="primary" icon="plus" reason={refused} onClick={openCreate}>
            Create <span data-wide="">instance</span>
          </Button>
        </div>
      </div>
      <Chips counts={fleet.counts} filter={view.filter} onChange={change}>
        <span className="end">
          Sorted by {view.sort}
          {moves > 0 && (
            <>
              {" "}
              · {moves} {moves === 1 ? "row" : "rows"} would move,{" "}
              <button type="button" onClick={resort}>
                re-sort
              </button>
            </>
          )}
        </span>
      </Chips>
      {fleet.error !== null && <Failed what="The list could not be read" error={fleet.error} asOf={fleet.readAt || null} onRetry={fleet.retry} />}
      {fleet.loading && lines.length === 0 && fleet.error === null ? (
        <Bones label="Loading instances" />
      ) : lines.length > 0 ? (
        <InstanceTable
          lines={lines}
          totals={totals}
          total={matching}
          view={view}
          stale={fleet.error !== null}
          onSort={onSort}
          onNearEnd={fleet.loadMore}
          onBusy={setBusy}
        />
      ) : (
        fleet.error === null && (isNarrowed(view.filter) ? <NothingMatches filter={view.filter} others={fleet.total} onChange={change} /> : <NoInstances />)
      )}
      <p className="foot">
        {lines.length > 0 && (
          <span>
            {lines.length} of {Math.max(matching, lines.length)} loaded{hasMore && ", the rest on scroll"}
          </span>
        )}
        {paused && <span className="late">Live updates paused</span>}
      </p>
      <BulkBar />
    </>
  );
}

/** The heading of the last group counts what the server has, not what happens to be loaded. */
function settledOf(counts: Record<string, number>, statuses: readonly string[], lines: readonly { group: string }[]): number {
  const above = lines.filter((line) => line.group === "needs" || line.group === "moving").length;
  return Math.max(0, totalOf(counts, statuses) - above);
}
