/** A path that nothing answers to. */

import { LinkButton } from "@/parts/Button";
import { Empty } from "@/parts/States";

export default function NotFound() {
  return (
    <Empty page title="Nothing is here">
      <p className="muted">The address may be old. What has ended is in History.</p>
      <div className="actions">
        <LinkButton kind="primary" href="/instances">
          Instances
        </LinkButton>
        <LinkButton href="/history">History</LinkButton>
      </div>
    </Empty>
  );
}
