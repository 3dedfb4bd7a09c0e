/** Bars, drawn once the plots are there; until then their room is kept. */

import { lazy, Suspense } from "react";

import type { Bar } from "./Plot";

const Plot = lazy(() => import("./Plot"));

interface DrawnProps {
  bars: readonly Bar[];
  unit: string;
  names?: number;
  format?: (value: number) => string;
}

export function Drawn({ bars, ...rest }: DrawnProps) {
  return (
    <Suspense fallback={<div style={{ height: bars.length * 24 + 8 }} aria-busy="true" />}>
      <Plot bars={bars} {...rest} />
    </Suspense>
  );
}
