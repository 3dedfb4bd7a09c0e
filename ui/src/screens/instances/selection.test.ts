import { beforeEach, describe, expect, it } from "vitest";

import { useSelection } from "./selection";

const picked = (): string[] => [...useSelection.getState().picked];
beforeEach(() => {
  useSelection.getState().clear();
  useSelection.getState().setOrder(["a", "b", "c", "d"]);
});

describe("the selection", () => {
  it("reaches from the last picked row to this one with Shift, in the order of the list", () => {
    useSelection.getState().toggle("d");
    useSelection.getState().toggle("b", true);
    expect(picked().sort()).toEqual(["b", "c", "d"]);
  });

  it("lets go of what the list does not show any more: nobody ends what they do not see", () => {
    useSelection.getState().pickAll(["a", "b", "c", "d"]);
    useSelection.getState().setOrder(["b", "e"]);
    expect(picked()).toEqual(["b"]);
  });
});
