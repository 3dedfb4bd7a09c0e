// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Link, Route, Router, Switch } from "wouter";
import { memoryLocation } from "wouter/memory-location";

import { keepFocus, useFocusOnArrival } from "./focus";

let stop = (): void => undefined;
beforeEach(() => {
  stop = keepFocus();
});
afterEach(() => {
  stop();
  cleanup();
});

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
function press(name: string): Promise<void> {
  const button = screen.getByRole("button", { name });
  button.focus();
  fireEvent.click(button);
  return settled();
}

function Once({ children }: { children: string }) {
  const [there, setThere] = useState(true);
  return there ? <button type="button" onClick={() => setThere(false)}>{children}</button> : <i>over</i>;
}

it("a button that goes with its click leaves the focus to its group", async () => {
  render(<main id="main" tabIndex={-1}><div role="group" data-home="" tabIndex={-1}><Once>Stop</Once></div></main>);
  await press("Stop");
  expect(document.activeElement?.getAttribute("role")).toBe("group");
});

it("one below the group finds it; nothing else is pressed by a second Enter", async () => {
  render(<main id="main" tabIndex={-1}><div role="group" data-home="" tabIndex={-1}><button type="button">Terminate</button></div><section><footer><Once>Retry</Once></footer></section></main>);
  await press("Retry");
  expect(document.activeElement?.getAttribute("role")).toBe("group");
});

it("one of a row leaves it to the row's link, also where the row is drawn in another group", async () => {
  function Rows() {
    const [over, setOver] = useState(false);
    const row = <tr key="op"><td><a className="name" href="/operations/op">Create demo</a>{!over && <button type="button" onClick={() => setOver(true)}>Retry</button>}</td></tr>;
    return <table><tbody>{!over && row}</tbody><tbody><tr><td><a className="name" href="/operations/other">Other</a></td></tr>{over && row}</tbody></table>;
  }
  render(<main id="main" tabIndex={-1}><Rows /></main>);
  await press("Retry");
  expect(document.activeElement?.getAttribute("href")).toBe("/operations/op");
});

it("a row that is only put elsewhere keeps it", async () => {
  render(<main id="main" tabIndex={-1}><ol><li><button type="button">Stop</button></li><li>other</li></ol></main>);
  const button = screen.getByRole("button", { name: "Stop" });
  button.focus();
  screen.getByRole("list").append(button.parentElement as HTMLElement);
  await settled();
  expect(document.activeElement).toBe(button);
});

it("one outside of the content gives it back to what had it before", async () => {
  render(<><main id="main" tabIndex={-1}><button type="button">Stop</button></main><section><Once>Dismiss</Once></section></>);
  screen.getByRole("button", { name: "Stop" }).focus();
  await press("Dismiss");
  expect(document.activeElement?.textContent).toBe("Stop");
});

it("what was left on purpose is not missed when it goes", async () => {
  render(<main id="main" tabIndex={-1}><Once>Stop</Once></main>);
  const button = screen.getByRole("button", { name: "Stop" });
  button.focus();
  button.blur();
  await settled();
  fireEvent.click(button);
  await settled();
  expect(document.activeElement).toBe(document.body);
});

it("on another page the content has the focus, at the first one nothing", async () => {
  const { hook } = memoryLocation({ path: "/" });
  function Page() {
    const [location] = hook();
    useFocusOnArrival(location);
    return <><Link href="/instances">Instances</Link><Link href="/hosts">Hosts</Link><main id="main" tabIndex={-1}><Switch><Route path="/hosts">Hosts</Route></Switch></main></>;
  }
  render(<Router hook={hook}><Page /></Router>);
  fireEvent.click(screen.getByRole("link", { name: "Instances" }));
  await settled();
  expect(document.activeElement).toBe(document.body);
  fireEvent.click(screen.getByRole("link", { name: "Hosts" }));
  await settled();
  expect(document.activeElement?.id).toBe("main");
});
