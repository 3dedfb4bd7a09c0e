// @vitest-environment jsdom
import { expect, it } from "vitest";

import { followOtherTabs, useSession } from "./session";

/** What the browser does here when another tab has changed what is kept. */
function elsewhere(token: string | null): void {
  if (token === null) localStorage.removeItem("berth.token");
  else localStorage.setItem("berth.token", token);
  window.dispatchEvent(new StorageEvent("storage", { key: "berth.token" }));
}

it("signs in and out with the other tabs", () => {
  const stop = followOtherTabs();
  elsewhere("t1");
  expect(useSession.getState().token).toBe("t1");
  elsewhere(null);
  expect(useSession.getState().token).toBeNull();
  stop();
  elsewhere("t2");
  expect(useSession.getState().token).toBeNull();
});
