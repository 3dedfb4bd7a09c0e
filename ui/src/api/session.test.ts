// @vitest-environment jsdom
import { expect, it, vi } from "vitest";

import { followOtherTabs, leave, useSession } from "./session";

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

it("ends the session of who leaves, and forgets the token whether or not anybody answers", () => {
  const asked = vi.fn(() => Promise.reject(new TypeError("away")));
  vi.stubGlobal("fetch", asked);
  useSession.getState().signIn("t3");
  leave();
  expect(useSession.getState().token).toBeNull();
  expect(localStorage.getItem("berth.token")).toBeNull();
  expect(asked).toHaveBeenCalledWith("/api/v1/me/session", expect.objectContaining({ method: "DELETE", headers: { Authorization: "Bearer t3" } }));
  leave();
  expect(asked).toHaveBeenCalledTimes(1);
  vi.unstubAllGlobals();
});
