/** Plots in the tokens' colours, each read out in words. Loaded only by the statistics. */

import { Bar as BarShape, BarChart, CartesianGrid, Cell, LabelList, ResponsiveContainer, XAxis, YAxis } from "recharts";

export interface Bar {
  name: string;
  value: number;
  colour: string;
}

interface PlotProps {
  bars: readonly Bar[];
  unit: string;
  format?: (value: number) => string;
  /** Pixels for the names at the left. */
  names?: number;
}

const NAMES = 124;
const INK = { fill: "var(--ink-2)", fontSize: 12 };

export default function Plot({ bars, unit, format = String, names = NAMES }: PlotProps) {
  const told = `${bars.map((bar) => `${bar.name} ${format(bar.value)}`).join(", ")} ${unit}`;
  return (
    <div role="img" aria-label={told}>
      <ResponsiveContainer width="100%" height={bars.length * 24 + 8}>
        <BarChart data={[...bars]} layout="vertical" margin={{ top: 0, right: 64, bottom: 0, left: 0 }} barCategoryGap={7} accessibilityLayer={false}>
          <XAxis type="number" hide domain={[0, "dataMax"]} />
          <YAxis type="category" dataKey="name" width={names} axisLine={false} tickLine={false} interval={0} tick={INK} />
          <BarShape dataKey="value" isAnimationActive={false} radius={2} minPointSize={2} background={{ fill: "var(--sunken)" }}>
            {bars.map((bar) => (
              <Cell key={bar.name} fill={bar.value === 0 ? "var(--line-strong)" : bar.colour} />
            ))}
            <LabelList dataKey="value" position="right" fill="var(--ink)" fontSize={12} formatter={(value) => format(Number(value))} />
          </BarShape>
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}

export interface Series {
  name: string;
  colour: string;
}

export type Point = { name: string } & Record<string, string | number>;

interface MoreProps {
  points: readonly Point[];
  series: readonly Series[];
  told: string;
  format?: (value: number) => string;
}

/** Several bars for each name, one under the other. */
export function Grouped({ points, series, told, format = String }: MoreProps) {
  return (
    <div role="img" aria-label={told}>
      <Legend series={series} />
      <ResponsiveContainer width="100%" height={points.length * (series.length * 16 + 14) + 8}>
        <BarChart data={[...points]} layout="vertical" margin={{ top: 0, right: 64, bottom: 0, left: 0 }} barCategoryGap={7} barGap={2} accessibilityLayer={false}>
          <XAxis type="number" hide domain={[0, "dataMax"]} />
          <YAxis type="category" dataKey="name" width={NAMES} axisLine={false} tickLine={false} interval={0} tick={INK} />
          {series.map((one) => (
            <BarShape key={one.name} dataKey={one.name} fill={one.colour} isAnimationActive={false} radius={2} minPointSize={2}>
              <LabelList dataKey={one.name} position="right" fill="var(--ink)" fontSize={12} formatter={(value) => format(Number(value))} />
            </BarShape>
          ))}
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}

/** What happened over time, each kind on top of the last. */
export function Stacked({ points, series, told }: MoreProps) {
  return (
    <div role="img" aria-label={told}>
      <Legend series={series} />
      <ResponsiveContainer width="100%" height={168}>
        <BarChart data={[...points]} margin={{ top: 8, right: 0, bottom: 0, left: 0 }} barCategoryGap={2} accessibilityLayer={false}>
          <CartesianGrid vertical={false} stroke="var(--line)" />
          <XAxis dataKey="name" tickLine={false} axisLine={{ stroke: "var(--line-strong)" }} tick={INK} minTickGap={24} />
          <YAxis width={32} allowDecimals={false} axisLine={false} tickLine={false} tick={INK} tickCount={4} />
          {series.map((one) => (
            <BarShape key={one.name} dataKey={one.name} stackId="all" fill={one.colour} stroke="var(--canvas)" strokeWidth={1} isAnimationActive={false} />
          ))}
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}

function Legend({ series }: { series: readonly Series[] }) {
  return (
    <ul className="legend">
      {series.map((one) => (
        <li key={one.name}>
          <svg viewBox="0 0 10 10" aria-hidden="true">
            <rect width="10" height="10" rx="2" fill={one.colour} stroke="none" />
          </svg>
          {one.name}
        </li>
      ))}
    </ul>
  );
}
