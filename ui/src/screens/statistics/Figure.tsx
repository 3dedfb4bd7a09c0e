/** A plot and the same figures as a table; without a plot, the table alone. */

import { type ReactNode, useId, useState } from "react";

import { Button } from "@/parts/Button";

interface FigureProps {
  title: string;
  /** What the plot leaves out, beside the title. */
  note?: string;
  heads: readonly string[];
  rows: readonly (readonly ReactNode[])[];
  none?: string;
  children?: ReactNode;
}

export function Figure({ title, note, heads, rows, none = "Nothing to count.", children }: FigureProps) {
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  const empty = rows.length === 0;
  return (
    <section className="figure" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note !== undefined && !empty && <span className="muted">{note}</span>}
        {children && !empty && (
          <Button size="sm" kind="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {asTable ? "As a plot" : "As a table"}
          </Button>
        )}
      </header>
      {empty ? <p className="muted">{none}</p> : children && !asTable ? children : <PlainTable title={title} heads={heads} rows={rows} />}
    </section>
  );
}

function PlainTable({ title, heads, rows }: { title: string; heads: readonly string[]; rows: readonly (readonly ReactNode[])[] }) {
  return (
    <table className="plain">
      <caption className="sr">{title}</caption>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((cells, row) => (
          <tr key={row}>
            {cells.map((cell, index) => (
              <td key={heads[index]}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
