/** Bars in the tokens' colours. Loaded only by the statistics. */

import { Bar as BarShape, BarChart, Cell, LabelList, ResponsiveContainer, XAxis, YAxis } from "recharts";

export interface Bar {
  name: string;
  value: number;
  colour: string;
}

interface PlotProps {
  bars: readonly Bar[];
  unit: string;
  format?: (value: number) => string;
}

export default function Plot({ bars, unit, format = String }: PlotProps) {
  const told = `${bars.map((bar) => `${bar.name} ${format(bar.value)}`).join(", ")} ${unit}`;
  return (
    <div role="img" aria-label={told}>
      <ResponsiveContainer width="100%" height={bars.length * 24 + 8}>
        <BarChart data={[...bars]} layout="vertical" margin={{ top: 0, right: 64, bottom: 0, left: 0 }} barCategoryGap={7} accessibilityLayer={false}>
          <XAxis type="number" hide domain={[0, "dataMax"]} />
          <YAxis type="category" dataKey="name" width={124} axisLine={false} tickLine={false} interval={0} tick={{ fill: "var(--ink-2)", fontSize: 12 }} />
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
