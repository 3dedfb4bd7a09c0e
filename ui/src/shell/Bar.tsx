/** The bar of every screen: where one is, what is under way, how the link stands. At the foot of a phone. */

import { Menu, MenuButton, MenuItem, MenuItems } from "@headlessui/react";
import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "wouter";

import { leave } from "@/api/session";
import { useNow } from "@/lib/clock";
import { useLater } from "@/lib/later";
import { initials, useMe } from "@/lib/me";
import { barred } from "@/lib/places";
import { shownTheme, useUi } from "@/lib/ui";
import { moreUnderWay, openOperationsQuery } from "@/live/queries";
import { useLatest, useLink } from "@/live/store";
import { Button } from "@/parts/Button";
import { Icon, Spinner } from "@/parts/Icon";
import { lateness } from "@/parts/Status";

const SCREENS = [
  { href: "/instances", text: "Instances", icon: "rows", phone: true },
  { href: "/operations", text: "Operations", icon: "flow", phone: true },
  { href: "/deployments", text: "Deployments", icon: "stack", phone: true },
  { href: "/history", text: "History", icon: "book", phone: true },
  { href: "/hosts", text: "Hosts", icon: "host", phone: false },
  { href: "/statistics", text: "Statistics", icon: "chart", phone: false },
];

/** What one needs seldom: behind the account, not in the way. */
const OFFICE = [
  { href: "/billing", text: "Billing deliveries", icon: "inbox" },
  { href: "/audit", text: "Audit", icon: "list" },
  { href: "/settings", text: "Settings and tokens", icon: "sliders" },
];

/** Those that are for whoever is here. */
function useOpen<Place extends { href: string }>(places: readonly Place[]): Place[] {
  const me = useMe();
  return places.filter(({ href }) => barred(me, href) === null);
}

export function Bar() {
  const openPalette = useUi((ui) => ui.openPalette);
  return (
    <header className="bar">
      <Link className="brand" href="/instances">
        <Icon name="mark" />
        Berth
      </Link>
      <Project />
      <Navigation />
      <span className="grow" />
      <button className="jump" type="button" onClick={openPalette}>
        <Icon name="search" />
        Jump to<kbd>{navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <UnderWay />
      <LinkMark />
      <ThemeButton />
      <Account />
    </header>
  );
}

function Navigation() {
  const [location] = useLocation();
  const here = (href: string): boolean => location === href || location.startsWith(`${href}/`);
  const screens = useOpen(SCREENS);
  const office = useOpen(OFFICE);
  const more = [...screens.filter((screen) => !screen.phone), ...office];
  return (
    <nav className="nav" aria-label="Main">
      {screens.map(({ href, text, icon, phone }) => (
        <Link key={href} href={href} className={phone ? undefined : "desk"} aria-current={here(href) ? "page" : undefined}>
          <Icon name={icon} />
          {text}
        </Link>
      ))}
      <Menu>
        <MenuButton className="phone" aria-current={more.some((screen) => here(screen.href)) ? "page" : undefined}>
          <Icon name="more" />
          More
        </MenuButton>
        <MenuItems className="menu-items" anchor={{ to: "top end", gap: 8, padding: 8 }}>
          <MenuItem>
            <button type="button" onClick={useUi.getState().openPalette}>
              <Icon name="search" />
              Jump to
            </button>
          </MenuItem>
          {more.map(({ href, text, icon }) => (
            <MenuItem key={href}>
              <Link href={href}>
                <Icon name={icon} />
                {text}
              </Link>
            </MenuItem>
          ))}
          <MenuItem>
            <button type="button" onClick={useUi.getState().openHelp}>
              <Icon name="book" />
              Keys and help
            </button>
          </MenuItem>
          <MenuItem>
            <button type="button" onClick={leave}>
              <Icon name="out" />
              Sign out
            </button>
          </MenuItem>
        </MenuItems>
      </Menu>
    </nav>
  );
}

function UnderWay() {
  const { data } = useQuery({ ...openOperationsQuery, enabled: useLater() });
  const now = useNow();
  const items = useLatest(data?.items ?? []);
  const stuck = items.filter((one) => lateness(one, now) === "stuck").length;
  const parked = items.filter((one) => one.done && one.needs_you).length;
  const running = items.filter((one) => !one.done).length - stuck + moreUnderWay(data);
  if (running + stuck + parked === 0) return null;
  return (
    <Link className="ops" href="/operations">
      <span className="sr">Operations: </span>
      {running > 0 && (
        <>
          <Spinner />
          <span>
            <b>{running}</b> running
          </span>
        </>
      )}
      {stuck > 0 && (
        <span className="stuck">
          <Icon name="hourglass" />
          {stuck} stuck
        </span>
      )}
      {parked > 0 && (
        <span className={running + stuck > 0 ? "parked" : undefined}>
          <b>{parked}</b> parked
        </span>
      )}
    </Link>
  );
}

const LINK_WORDS = { live: "Live", connecting: "Connecting", paused: "Reconnecting", refused: "Signed out" };

function LinkMark() {
  const state = useLink((live) => live.link.state);
  return (
    <span className="live" role="status" data-link={state === "live" ? "live" : "paused"}>
      <Icon name={state === "live" ? "disc" : "unknown"} />
      <span className="live-word">{LINK_WORDS[state]}</span>
    </span>
  );
}

function ThemeButton() {
  const { theme, setTheme } = useUi();
  const next = shownTheme(theme) === "dark" ? "light" : "dark";
  return <Button kind="quiet" size="sm" icon="theme" label={`Switch to the ${next} theme`} onClick={() => setTheme(next)} />;
}

/** Which project all this is of. */
function Project() {
  const me = useMe();
  return me === null ? null : <span className="env">{me.project}</span>;
}

function Account() {
  const me = useMe();
  const office = useOpen(OFFICE);
  return (
    <Menu>
      <MenuButton className="who" aria-label={me === null ? "Account and settings" : `${initials(me.principal)}, account and settings of ${me.principal}`}>
        {me === null ? <Icon name="sliders" /> : initials(me.principal)}
      </MenuButton>
      <MenuItems className="menu-items" anchor={{ to: "bottom end", gap: 6, padding: 8 }}>
        {me !== null && (
          <p className="menu-title">
            <b>{me.principal}</b>, {me.role} in {me.project}
          </p>
        )}
        {office.map(({ href, text, icon }) => (
          <MenuItem key={href}>
            <Link href={href}>
              <Icon name={icon} />
              {text}
            </Link>
          </MenuItem>
        ))}
        <MenuItem>
          <button type="button" onClick={useUi.getState().openHelp}>
            <Icon name="book" />
            Keys and help<kbd>?</kbd>
          </button>
        </MenuItem>
        <div className="rule" role="separator" />
        <MenuItem>
          <button type="button" onClick={leave}>
            <Icon name="out" />
            Sign out
          </button>
        </MenuItem>
      </MenuItems>
    </Menu>
  );
}
