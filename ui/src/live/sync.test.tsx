// @vitest-environment jsdom
import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, cleanup, render, renderHook, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { type Instance, instancesGet, instancesList } from "@/api/client";
import { client } from "@/api/generated/client.gen";
import { NoAnswer, NotOurs } from "@/api/problems";
import { useSession } from "@/api/session";
import { useToasts } from "@/lib/toasts";
import { EventsPart } from "@/screens/instance/EventsPart";
import { OperationsTab } from "@/screens/instance/OperationsTab";

import { askUntilAnswered } from "./act";
import { keys, queryClient, readInstance } from "./queries";
import { held, startEmpty, takeRecords, useLink } from "./store";
import { readBehind, useSeenRows, useSync } from "./sync";

const record = (id: string): Instance => ({ id, name: id, status: "running", version: 5, current_operation: null, allowed_actions: [] }) as unknown as Instance;
const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const refused = (): Response => json({ type: "x", title: "Signed out", code: "unauthenticated", status: 401, detail: "no" }, 401);
const ids = (): string[] => [...held.entries()].map(([id]) => id);

/** Every question, and the way to answer it when the test wants. */
let asked: { path: string; who: string | null; answer: (response: Response) => void }[];
const open = (path: string, who: string): (typeof asked)[number] => {
  const one = asked.find((question) => question.path.startsWith(path) && question.who === `Bearer ${who}`);
  if (one === undefined) throw new Error(`${who} never asked ${path}: ${JSON.stringify(asked)}`);
  return one;
};

function App() {
  useSync();
  return useSession((session) => session.token) === null ? null : <Page />;
}

function Page() {
  const { data } = useQuery({ queryKey: keys.instances, queryFn: async () => (await instancesList()).data.items.map((one) => one.name) });
  return <p>{data?.join() ?? "nothing"}</p>;
}

beforeEach(() => {
  asked = [];
  client.setConfig({ baseUrl: "http://berth.test" });
  vi.stubGlobal("fetch", (request: Request | string) =>
    typeof request === "string" ? new Promise(() => undefined) : new Promise((answer) => asked.push({ path: new URL(request.url).pathname, who: request.headers.get("Authorization"), answer })));
  useSession.getState().signIn("ana");
});
afterEach(() => {
  cleanup();
  useSession.getState().signOut();
  startEmpty();
  queryClient.clear();
  vi.unstubAllGlobals();
});

it("shows the next person nothing of what the one before saw, asked for or was told", async () => {
  render(<QueryClientProvider client={queryClient}><App /></QueryClientProvider>);
  await vi.waitFor(() => open("/api/v1/instances", "ana").answer(json({ items: [record("ins_ana")], counts: {} })));
  await screen.findByText("ins_ana");
  takeRecords([record("ins_ana")]);
  queryClient.setQueryData(["me"], { principal: "ana" });
  useLink.setState({ link: { state: "live", heardAt: 1, nextTryAt: null }, told: true });
  useToasts.getState().say({ id: "t", tone: "refused", title: "Stop of ins_ana was refused", detail: "" });
  readBehind("ins_ana");
  await vi.waitFor(() => open("/api/v1/instances/ins_ana", "ana"));

  useSession.getState().signIn("bo");
  expect(ids()).toEqual([]);
  expect(queryClient.getQueryData(["me"])).toBeUndefined();
  expect(useToasts.getState().shown).toEqual([]);
  expect(useLink.getState()).toMatchObject({ told: false, link: { state: "connecting", heardAt: null } });
  await screen.findByText("nothing");

  // What was under way in the old name fills nothing any more.
  open("/api/v1/instances/ins_ana", "ana").answer(json(record("ins_ana")));
  await vi.waitFor(() => open("/api/v1/instances", "bo").answer(json({ items: [record("ins_bo")], counts: {} })));
  await screen.findByText("ins_bo");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(ids()).toEqual([]);
});

it("does not sign anybody out for a token that was another's", async () => {
  const late = instancesGet({ path: { key: "demo" } }).catch((error: unknown) => error);
  await vi.waitFor(() => open("/api/v1/instances/demo", "ana"));
  useSession.getState().signIn("bo");
  open("/api/v1/instances/demo", "ana").answer(refused());
  expect(await late).toBeInstanceOf(NotOurs);
  expect(useSession.getState()).toMatchObject({ token: "bo", refused: false });
  const own = readInstance("demo").catch((error: unknown) => error);
  await vi.waitFor(() => open("/api/v1/instances/demo", "bo"));
  open("/api/v1/instances/demo", "bo").answer(refused());
  await own;
  expect(useSession.getState()).toMatchObject({ token: null, refused: true });
});

it("asks nothing in nobody's name once somebody has left", async () => {
  render(<QueryClientProvider client={queryClient}><App /></QueryClientProvider>);
  await vi.waitFor(() => open("/api/v1/instances", "ana"));
  useSession.getState().signOut();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked.filter((question) => question.who === null)).toEqual([]);
});

it("does not ask again in another's name for what one person wanted", async () => {
  vi.useFakeTimers();
  const request = vi.fn(() => Promise.reject(new NoAnswer(null)));
  const wanted = askUntilAnswered("demo", "k", request).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(100);
  useSession.getState().signIn("bo");
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await wanted).toBeInstanceOf(NotOurs);
  expect(request).toHaveBeenCalledTimes(1);
  vi.useRealTimers();
});

it("reads what somebody sees again every five seconds while the line is down, where no list does", async () => {
  vi.useFakeTimers();
  takeRecords([record("ins_seen"), record("ins_unseen")]);
  const stop = held.subscribe("ins_seen", () => undefined);
  const [down, up] = (["paused", "live"] as const).map((state) => ({ link: { state, heardAt: 1, nextTryAt: null } }));
  useLink.setState(down ?? {});
  const { rerender } = renderHook(({ unread }) => useSeenRows(unread), { initialProps: { unread: false } });
  await vi.advanceTimersByTimeAsync(6_000);
  expect(asked).toEqual([]);
  rerender({ unread: true });
  await vi.advanceTimersByTimeAsync(4_900);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(asked.map((question) => question.path)).toEqual(["/api/v1/instances/ins_seen"]);
  open("/api/v1/instances/ins_seen", "ana").answer(json({ ...record("ins_seen"), version: 6 }));
  await vi.advanceTimersByTimeAsync(100);
  expect(held.get("ins_seen")?.version).toBe(6);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toHaveLength(2);
  act(() => useLink.setState(up ?? {}));
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveLength(2);
  stop();
  vi.useRealTimers();
});

it.each([EventsPart, OperationsTab])("reads the history of an instance again while the line is down", async (Part) => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", (request: Request) => (asked.push({ path: new URL(request.url).pathname, who: null, answer: () => undefined }), Promise.resolve(json({ items: [], counts: {} }))));
  useLink.setState({ link: { state: "paused", heardAt: 1, nextTryAt: null } });
  render(<QueryClientProvider client={queryClient}><Part instance={record("ins_1")} /></QueryClientProvider>);
  await vi.advanceTimersByTimeAsync(10_500);
  expect(asked.length).toBeGreaterThanOrEqual(3);
  act(() => useLink.setState({ link: { state: "live", heardAt: 1, nextTryAt: null } }));
  await vi.advanceTimersByTimeAsync(100);
  const { length } = asked;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asked).toHaveLength(length);
  vi.useRealTimers();
});
