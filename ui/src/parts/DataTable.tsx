/** Tables of some hundreds of rows: real tables, sortable by their heads, blocks on a phone. */

import { type ColumnDef, createSortedRowModel, rowSortingFeature, sortFns, tableFeatures, useTable } from "@tanstack/react-table";
import { type CSSProperties, type ReactNode, useMemo } from "react";

import { Icon } from "./Icon";

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel(), sortFns });

export interface TableColumn<Row> {
  id: string;
  title: string;
  width: string;
  /** What it sorts by; without it, it does not sort. */
  by?: (row: Row) => string | number;
  cell: (row: Row) => ReactNode;
  number?: boolean;
  /** Names the row. */
  head?: boolean;
  /** Left out under 1060 px, and in the block of a phone. */
  wide?: boolean;
}

interface DataTableProps<Row> {
  label: string;
  rows: readonly Row[];
  columns: readonly TableColumn<Row>[];
  keyOf: (row: Row) => string;
  stale?: boolean;
  /** More rows can be asked for than are here: what sorts, sorts these only, and says so. */
  partial?: boolean;
}

function definitionOf<Row extends object>(column: TableColumn<Row>): ColumnDef<typeof features, Row> {
  return { id: column.id, enableSorting: column.by !== undefined, accessorFn: (row) => column.by?.(row) ?? "" };
}

/** Cells are drawn by calls, not as components of their own: what a person has begun in one outlives a new reading. */
export function DataTable<Row extends object>({ label, rows, columns, keyOf, stale = false, partial = false }: DataTableProps<Row>) {
  const defs = useMemo(() => columns.map(definitionOf), [columns]);
  const table = useTable({ features, data: rows as Row[], columns: defs, getRowId: keyOf }, (state) => ({ sorting: state.sorting }));
  const looks = new Map(columns.map((column) => [column.id, column]));
  const cols = columns.map((column) => column.width).join(" ");
  const narrow = columns.filter((column) => !column.wide).map((column) => column.width).join(" ");
  const by = looks.get(table.state.sorting[0]?.id ?? "");
  return (
    <>
      <table className={stale ? "list data stale" : "list data"} role="table" style={{ "--cols": cols, "--cols-narrow": narrow } as CSSProperties}>
        <caption className="sr">{label}</caption>
        <thead role="rowgroup">
          {table.getHeaderGroups().map((group) => (
            <tr role="row" key={group.id}>
              {group.headers.map((header) => {
                const look = looks.get(header.column.id);
                const sorted = header.column.getIsSorted();
                return (
                  <th
                    role="columnheader"
                    scope="col"
                    key={header.id}
                    className={look?.number ? "num" : undefined}
                    data-wide-column={look?.wide ? "" : undefined}
                    aria-sort={sorted === false ? undefined : sorted === "asc" ? "ascending" : "descending"}
                  >
                    {look?.by ? (
                      <button type="button" className={sorted ? "sorted" : undefined} onClick={header.column.getToggleSortingHandler()}>
                        {look.title}
                        {sorted !== false && <Icon name="down" className={sorted === "asc" ? "flip" : undefined} />}
                      </button>
                    ) : look?.title === "" ? (
                      <span className="sr">Actions</span>
                    ) : (
                      look?.title
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody role="rowgroup">
          {table.getRowModel().rows.map((row) => (
            <tr role="row" key={row.id}>
              {row.getAllCells().map((cell) => {
                const look = looks.get(cell.column.id);
                const Cell = look?.head ? "th" : "td";
                return (
                  <Cell
                    key={cell.id}
                    role={look?.head ? "rowheader" : "cell"}
                    {...(look?.head ? { scope: "row" as const } : {})}
                    className={look?.number ? "num" : undefined}
                    data-title={look?.title}
                    data-wide-column={look?.wide ? "" : undefined}
                  >
                    {look?.cell(row.original)}
                  </Cell>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {partial && by && (
        <p className="foot partial" role="status">
          Sorted by {by.title.toLowerCase()}: only the {rows.length} that are loaded, and there are more.
        </p>
      )}
    </>
  );
}
