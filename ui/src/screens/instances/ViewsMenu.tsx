/** Saved filters: go to one, give the present one a name, let one go. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle, Menu, MenuButton, MenuItem, MenuItems } from "@headlessui/react";
import { type FormEvent, useState } from "react";
import { useLocation, useSearch } from "wouter";

import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";

import { useViews } from "./views";

export function ViewsMenu() {
  const { views, drop } = useViews();
  const [, navigate] = useLocation();
  const search = useSearch();
  const [naming, setNaming] = useState(false);
  const here = views.find((view) => view.search === search);
  return (
    <>
      <Menu>
        <MenuButton className="btn" data-kind="quiet">
          {here ? here.name : "Views"}
          <Icon name="down" />
        </MenuButton>
        <MenuItems className="menu-items" anchor={{ to: "bottom end", gap: 4, padding: 8 }}>
          {views.length === 0 && <p className="menu-title">No view has a name yet</p>}
          {views.map((view) => (
            <MenuItem key={view.name}>
              <button type="button" role="menuitemradio" aria-checked={view === here} onClick={() => navigate(`/instances${view.search ? `?${view.search}` : ""}`)}>
                <span className="tick">{view === here && <Icon name="check" />}</span>
                {view.name}
              </button>
            </MenuItem>
          ))}
          <div className="rule" role="separator" />
          {here ? (
            <MenuItem>
              <button type="button" onClick={() => drop(here.name)}>
                Forget “{here.name}”
              </button>
            </MenuItem>
          ) : (
            <MenuItem>
              <button type="button" onClick={() => setNaming(true)}>
                Save this view…
              </button>
            </MenuItem>
          )}
        </MenuItems>
      </Menu>
      {naming && <NameDialog search={search} onClose={() => setNaming(false)} />}
    </>
  );
}

function NameDialog({ search, onClose }: { search: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const keep = useViews((state) => state.keep);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (name.trim() === "") return;
    keep({ name: name.trim(), search });
    onClose();
  };
  return (
    <Dialog open onClose={onClose} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">Save this view</DialogTitle>
          <form onSubmit={submit}>
            <label className="field">
              <span className="sr">Name of the view</span>
              <input data-autofocus="" placeholder="Name, kept in this browser" maxLength={40} value={name} autoComplete="off" onChange={(event) => setName(event.target.value)} />
            </label>
            <div className="actions mt-4">
              <Button onClick={onClose}>Not now</Button>
              <button type="submit" className="btn" data-kind="primary" aria-disabled={name.trim() === "" || undefined}>
                Save
              </button>
            </div>
          </form>
        </DialogPanel>
      </div>
    </Dialog>
  );
}
