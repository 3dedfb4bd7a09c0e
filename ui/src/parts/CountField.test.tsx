// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, expect, it } from "vitest";

import { CountField } from "./CountField";

function Form() {
  const [members, setMembers] = useState(1);
  return (
    <>
      <CountField aria-label="Members" value={members} onCount={setMembers} />
      <output>{members}</output>
    </>
  );
}
const field = (): HTMLInputElement => screen.getByLabelText("Members");
const type = (value: string): boolean => fireEvent.change(field(), { target: { value } });
const members = (): string | null => screen.getByRole("status").textContent;
afterEach(cleanup);

it("may be cleared, so that what is typed next is all of it", () => {
  render(<Form />);
  type("");
  expect(field().value).toBe("");
  expect(members()).toBe("1");
  type(`${field().value}5`);
  expect(members()).toBe("5");
});

it("is what it was when it is left empty or is no number of members", () => {
  render(<Form />);
  for (const text of ["", "0", "-3"]) {
    type(text);
    fireEvent.blur(field());
    expect(field().value).toBe("1");
  }
  expect(members()).toBe("1");
});
