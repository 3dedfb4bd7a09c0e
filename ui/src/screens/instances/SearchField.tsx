/** Search that waits for a pause in typing, and lives in the address. */

import { useEffect, useRef, useState } from "react";

import { Icon } from "@/parts/Icon";

import { type InstanceFilter, joinSearch, splitSearch } from "./filters";

const PAUSE_MS = 180;

export function SearchField({ filter, onChange }: { filter: InstanceFilter; onChange: (change: Partial<InstanceFilter>) => void }) {
  const there = joinSearch(filter);
  const [text, setText] = useState(there);
  const sent = useRef(there);
  useEffect(() => {
    // The address changed from elsewhere: a cleared filter, or the way back.
    if (there !== sent.current) setText(there);
    sent.current = there;
  }, [there]);
  useEffect(() => {
    if (joinSearch(splitSearch(text)) === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = joinSearch(splitSearch(text));
      onChange(splitSearch(text));
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  return (
    <label className="field">
      <Icon name="search" />
      <span className="sr">Search instances by name, or by a label as key=value</span>
      <input
        data-search=""
        type="search"
        placeholder="Name, or label=value"
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          setText("");
          event.currentTarget.blur();
        }}
      />
      <kbd>/</kbd>
    </label>
  );
}
