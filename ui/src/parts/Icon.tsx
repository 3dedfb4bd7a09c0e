/** Every picture of the interface, drawn on a 16 px grid in the colour of its text. Always beside a word, or hidden. */

import type { ReactNode } from "react";

const PATHS: Record<string, ReactNode> = {
  inbox: (
    <><path d="M2.6 9.2v4h10.8v-4L11.4 3H4.6zM2.6 9.2h3.2a2.2 2.2 0 0 0 4.4 0h3.2"/></>
  ),
  list: (
    <><path d="M6 4.2h7.4M6 8h7.4M6 11.8h7.4M2.6 4.2h.6M2.6 8h.6M2.6 11.8h.6"/></>
  ),
  lock: (
    <><rect x="3.4" y="7" width="9.2" height="6.4" rx="1"/><path d="M5.4 7V5.2a2.6 2.6 0 0 1 5.2 0V7"/></>
  ),
  mark: (
    <><path d="M2.6 4.6v8.8h10.8V4.6" strokeLinecap="butt" strokeLinejoin="miter"/><rect x="5.6" y="1.6" width="4.8" height="9" rx=".8" fill="var(--accent)" stroke="none"/></>
  ),
  disc: (
    <><circle cx="8" cy="8" r="4.6" fill="currentColor" stroke="none"/></>
  ),
  square: (
    <><rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" stroke="none"/></>
  ),
  pause: (
    <><path d="M5.8 4v8M10.2 4v8" strokeWidth="2.4"/></>
  ),
  wrench: (
    <><path d="M11 2.6a3.5 3.5 0 0 0-4.4 4.4L2.7 10.9a1.7 1.7 0 1 0 2.4 2.4L9 9.4A3.5 3.5 0 0 0 13.4 5L11.3 7 9 4.7z"/></>
  ),
  warn: (
    <><path d="M8 2.4 14.2 13.2H1.8z"/><path d="M8 6.6v3M8 11.3v.1"/></>
  ),
  ring: (
    <><circle cx="8" cy="8" r="5.6" opacity=".3"/><path d="M8 2.4A5.6 5.6 0 0 1 13.6 8" strokeWidth="2"/></>
  ),
  loop: (
    <><path d="M13 8a5 5 0 1 1-1.5-3.6M13.2 2.4v3h-3"/></>
  ),
  up: (
    <><path d="M8 13V3.4M4 7.2l4-4 4 4"/></>
  ),
  swap: (
    <><path d="M3 5.4h9.4M9.6 2.6l2.8 2.8-2.8 2.8M13 10.6H3.6M6.4 7.8l-2.8 2.8 2.8 2.8"/></>
  ),
  backup: (
    <><path d="M8 2.4v7.2M4.9 6.6 8 9.7l3.1-3.1M2.8 10.4v3h10.4v-3"/></>
  ),
  restore: (
    <><path d="M3 8a5 5 0 1 0 1.5-3.6M2.8 2.4v3h3M8 5.6V8l1.7 1.2"/></>
  ),
  sliders: (
    <><path d="M2.4 5h5.2M11 5h2.6M2.4 11h2.6M8.4 11h5.2"/><circle cx="9.3" cy="5" r="1.7"/><circle cx="6.7" cy="11" r="1.7"/></>
  ),
  bin: (
    <><path d="M3 4.6h10M6.4 4.4V2.9h3.2v1.5M4.2 4.8l.6 8.4h6.4l.6-8.4M6.8 7.2v3.6M9.2 7.2v3.6"/></>
  ),
  gone: (
    <><circle cx="8" cy="8" r="5.4"/><path d="m5 11 6-6"/></>
  ),
  unknown: (
    <><circle cx="8" cy="8" r="5.4" strokeDasharray="2 2.2"/></>
  ),
  hourglass: (
    <><path d="M4.4 2.4h7.2M4.4 13.6h7.2M5 2.4C5 5.6 7 6.4 8 8c-1 1.6-3 2.4-3 5.6M11 2.4C11 5.6 9 6.4 8 8c1 1.6 3 2.4 3 5.6"/></>
  ),
  check: (
    <><path d="m3.4 8.6 3 3 6.2-7"/></>
  ),
  half: (
    <><circle cx="8" cy="8" r="5.2"/><path d="M8 2.8a5.2 5.2 0 0 1 0 10.4z" fill="currentColor" stroke="none"/></>
  ),
  broken: (
    <><path d="M10.6 3.5A5.2 5.2 0 0 0 3.5 10.6M5.4 12.5a5.2 5.2 0 0 0 7.1-7.1M2.6 2.6l10.8 10.8"/></>
  ),
  x: (
    <><path d="m4 4 8 8M12 4l-8 8"/></>
  ),
  more: (
    <><path d="M3.4 8h.01M8 8h.01M12.6 8h.01" strokeWidth="2.2"/></>
  ),
  search: (
    <><circle cx="7" cy="7" r="4.4"/><path d="m10.4 10.4 3 3"/></>
  ),
  down: (
    <><path d="m4.4 6.4 3.6 3.6 3.6-3.6"/></>
  ),
  theme: (
    <><circle cx="8" cy="8" r="5.4"/><path d="M8 2.6a5.4 5.4 0 0 1 0 10.8z" fill="currentColor" stroke="none"/></>
  ),
  plus: (
    <><path d="M8 3.2v9.6M3.2 8h9.6"/></>
  ),
  rows: (
    <><path d="M2.6 4h10.8M2.6 8h10.8M2.6 12h10.8"/></>
  ),
  flow: (
    <><path d="M2.6 4.2h5M5 8h6M8.4 11.8h5"/></>
  ),
  stack: (
    <><path d="M8 2.6 13.6 5.4 8 8.2 2.4 5.4zM2.6 8.2 8 10.9l5.4-2.7M2.6 11 8 13.7 13.4 11"/></>
  ),
  book: (
    <><path d="M3.4 2.8h7.8a1.4 1.4 0 0 1 1.4 1.4v9H4.6a1.2 1.2 0 0 1-1.2-1.2zM6 5.8h4M6 8.4h4"/></>
  ),
  out: (
    <><path d="M6 3.4H3.4v9.2h9.2V10M9.2 3.4h3.4v3.4M12.4 3.6 7.8 8.2"/></>
  ),
  copy: (
    <><rect x="5.6" y="5.6" width="7.6" height="7.6" rx="1.2"/><path d="M10.4 3H4.2A1.4 1.4 0 0 0 2.8 4.4v6.2"/></>
  ),
  host: (
    <><rect x="2.6" y="3" width="10.8" height="4" rx="1"/><rect x="2.6" y="9" width="10.8" height="4" rx="1"/><path d="M5 5h.01M5 11h.01"/></>
  ),
  chart: (
    <><path d="M2.6 13.4h10.8M4.4 11V8M8 11V4.4M11.6 11V6.6"/></>
  ),
  back: (
    <><path d="M9.6 4.4 6 8l3.6 3.6"/></>
  ),
  download: (
    <><path d="M8 2.8v7M5.2 7 8 9.8 10.8 7M3 13.2h10"/></>
  ),
  key: (
    <><circle cx="5.4" cy="10.6" r="2.8"/><path d="m7.4 8.6 5.4-5.4M10.6 5.4l1.8 1.8"/></>
  ),
};

export function Icon({ name, className }: { name: string; className?: string }) {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" className={className}>
      {PATHS[name] ?? PATHS["unknown"]}
    </svg>
  );
}

/** Turns slowly; an hourglass where motion is not wanted. */
export function Spinner({ icon = "ring" }: { icon?: string }) {
  return (
    <>
      <Icon name={icon} className="spin" />
      <Icon name="hourglass" className="rest" />
    </>
  );
}
