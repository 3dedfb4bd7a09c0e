/**
 * What can wait until the list shows its rows: figures of the frame, contents of menus, counts. The page, the browser and
 * a Berth on the same machine share its processors, so that what is asked for at once comes late together.
 */

import { create } from "zustand";

/** Other screens than the list, or a list that does not come, hold up nothing for longer. */
const AT_MOST_MS = 1_000;

const useStage = create<{ shown: boolean }>(() => ({ shown: false }));

/** The first rows are there. */
export function rowsShown(): void {
  useStage.setState({ shown: true });
}

export function useLater(): boolean {
  return useStage((stage) => stage.shown);
}

if (typeof window !== "undefined") setTimeout(rowsShown, AT_MOST_MS);
