// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { DeploymentForm } from "@/api/client";

import { yamlLines } from "./spec";
import { type Drafting, useDraft } from "./useDraft";
import { YamlPane } from "./YamlPane";

const saved = (version: number, members: number, params: Record<string, unknown>): DeploymentForm =>
  ({ id: "dep_1", name: "shop", blueprint: "web", provider: "local", version, members, spec: { restart_policy: "never", resources: {}, params, labels: {} } }) as unknown as DeploymentForm;

let drafting: Drafting;
function Editor({ deployment }: { deployment: DeploymentForm }) {
  drafting = useDraft(deployment);
  return <YamlPane deployment={deployment} drafting={drafting} lines={yamlLines(deployment, drafting.base, drafting.draft)} />;
}

const area = (): HTMLTextAreaElement => screen.getByRole("textbox");
const type = (from: string, to: string): void => {
  expect(area().value).toContain(from);
  fireEvent.change(area(), { target: { value: area().value.replace(from, to) } });
};
function open(deployment: DeploymentForm): (next: DeploymentForm) => void {
  const { rerender } = render(<Editor deployment={deployment} />);
  fireEvent.click(screen.getByRole("button", { name: "Edit as text" }));
  return (next) => rerender(<Editor deployment={next} />);
}

beforeEach(() => localStorage.clear());
afterEach(cleanup);

describe("the text of a specification", () => {
  it("shows what somebody else saved while it was open, and takes nothing of it back", () => {
    const become = open(saved(1, 1, { size: 10 }));
    become(saved(2, 3, { size: 10 }));
    type("size: 10", "size: 20");
    expect(drafting.patch).toEqual({ params: { size: 20 } });
    expect(drafting).toMatchObject({ baseVersion: 2, behind: false });
  });

  it("keeps its own changes and shows both where somebody else saved after the first of them", () => {
    const become = open(saved(1, 1, { size: 10 }));
    type("size: 10", "size: 20");
    become(saved(2, 3, { size: 10 }));
    expect(drafting.behind).toBe(true);
    expect(area().value).toContain("members: 1");
    act(() => drafting.rebaseOnTheirs());
    expect(area().value).toContain("members: 3");
    type("size: 20", "size: 30");
    expect(drafting.patch).toEqual({ params: { size: 30 } });
  });

  it("is theirs once theirs were taken", () => {
    const become = open(saved(1, 1, { size: 10 }));
    type("size: 10", "size: 20");
    become(saved(2, 3, { size: 10 }));
    act(() => drafting.discard());
    expect(area().value).toMatch(/members: 3\n(.*\n)*.*size: 10/);
    expect(drafting.changes).toEqual([]);
  });

  it("follows what is changed in the form beside it", () => {
    open(saved(1, 1, { size: 10 }));
    act(() => drafting.edit({ ...drafting.draft, members: 2 }));
    type("size: 10", "size: 20");
    expect(drafting.patch).toEqual({ members: 2, params: { size: 20 } });
  });

  it("loses no half word when somebody else saves, and calls it a conflict once it can be read", () => {
    const become = open(saved(1, 1, { size: 10 }));
    type("members: 1", "members: [");
    become(saved(2, 3, { size: 10 }));
    type("members: [", "members: 2");
    expect(drafting).toMatchObject({ baseVersion: 1, behind: true });
    expect(drafting.patch).toEqual({ members: 2 });
  });

  it("is left as it was typed while nothing else changes", () => {
    open(saved(1, 1, { size: 10 }));
    type("members: 1", "# how many\nmembers:   2");
    expect(area().value).toContain("# how many\nmembers:   2");
    expect(drafting.patch).toEqual({ members: 2 });
  });
});
