/** What is one's own: who one is here, how the page looks, and the tokens of programs. */

import { useEffect } from "react";

import { lack, useMe } from "@/lib/me";
import { absolute } from "@/lib/time";
import { type Theme, useUi } from "@/lib/ui";

import { TokensPart } from "./TokensPart";

export default function SettingsScreen() {
  const me = useMe();
  useEffect(() => {
    document.title = "Settings · Berth";
  }, []);
  return (
    <>
      <div className="head">
        <h1>Settings</h1>
      </div>
      <div className="settings">
        {me && (
          <section className="part" aria-labelledby="who">
            <header>
              <h2 id="who">You</h2>
            </header>
            <dl className="pairs">
              <Pair title="Known as" value={me.principal} />
              <Pair title="Role" value={me.role} />
              <Pair title="Project" value={me.projects.length > 1 ? `${me.project}, one of ${me.projects.join(", ")}` : me.project} />
              {me.expires_at && <Pair title="Signed in until" value={absolute(me.expires_at)} />}
            </dl>
          </section>
        )}
        <Appearance />
        <Keys />
        <TokensPart refused={lack(me, "admin")} projects={me?.projects ?? []} />
      </div>
    </>
  );
}

function Pair({ title, value }: { title: string; value: string }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const THEMES: [theme: Theme, text: string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Appearance() {
  const { theme, setTheme, density, setDensity } = useUi();
  return (
    <section className="part" aria-labelledby="look">
      <header>
        <h2 id="look">Appearance</h2>
      </header>
      <div className="pairs">
        <fieldset className="choice">
          <legend>Theme</legend>
          {THEMES.map(([value, text]) => (
            <label key={value} className="switch">
              <input type="radio" name="theme" checked={theme === value} onChange={() => setTheme(value)} />
              {text}
            </label>
          ))}
        </fieldset>
        <fieldset className="choice">
          <legend>Rows</legend>
          <label className="switch">
            <input type="radio" name="density" checked={density === "normal"} onChange={() => setDensity("normal")} />
            Normal
          </label>
          <label className="switch">
            <input type="radio" name="density" checked={density === "compact"} onChange={() => setDensity("compact")} />
            Compact
          </label>
        </fieldset>
      </div>
    </section>
  );
}

function Keys() {
  const { letters, setLetters, openHelp } = useUi();
  return (
    <section className="part" aria-labelledby="letters">
      <header>
        <h2 id="letters">Keyboard</h2>
        <span className="actions">
          <button type="button" className="btn" data-size="sm" data-kind="quiet" onClick={openHelp}>
            All keys
          </button>
        </span>
      </header>
      <label className="switch">
        <input type="checkbox" checked={letters} onChange={() => setLetters(!letters)} />
        Single letters are keys
      </label>
    </section>
  );
}
