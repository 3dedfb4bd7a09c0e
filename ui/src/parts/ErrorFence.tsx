/** A mistake of ours on one screen does not take the others with it. */

import { Component, type ReactNode } from "react";

import { Button } from "./Button";
import { Empty } from "./States";

export class ErrorFence extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <Empty page title="This screen stopped working">
        <p className="muted">
          It is a mistake of the page, not of your instances: <code>{error.message}</code>
        </p>
        <div className="actions">
          <Button kind="primary" onClick={() => this.setState({ error: null })}>
            Try again
          </Button>
          <Button onClick={() => location.reload()}>Load the page anew</Button>
        </div>
      </Empty>
    );
  }
}
