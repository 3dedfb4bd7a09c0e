/** A whole number from one on. It may be empty while somebody types; left so, it is what it was. Used by the draft's form. */

import { type InputHTMLAttributes, useState } from "react";

interface CountFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onChange" | "onBlur" | "type" | "min"> {
  value: number;
  onCount: (count: number) => void;
}

export function CountField({ value, onCount, ...rest }: CountFieldProps) {
  const [typed, setTyped] = useState<string | null>(null);
  const type = (text: string): void => {
    setTyped(text);
    const count = Math.round(Number(text));
    if (count >= 1) onCount(count);
  };
  return <input {...rest} type="number" min={1} value={typed ?? value} onChange={(event) => type(event.target.value)} onBlur={() => setTyped(null)} />;
}
