/** The one button. Disabled ones stay reachable and say why, so that a reason is never lost. */

import { type ButtonHTMLAttributes, type ReactNode, type Ref, useId } from "react";
import { Link } from "wouter";

import { Icon, Spinner } from "./Icon";

interface Looks {
  kind?: "primary" | "quiet" | "danger";
  size?: "sm";
  icon?: string;
  /** Only the icon shows; the label is read out. */
  label?: string;
}

type ButtonProps = Looks &
  Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> & {
    reason?: string | null | undefined;
    off?: boolean;
    busy?: boolean;
    ref?: Ref<HTMLButtonElement>;
    children?: ReactNode;
  };

export function Button({ kind, size, icon, label, reason, off = false, busy = false, children, onClick, ...rest }: ButtonProps) {
  const described = useId();
  const disabled = off || busy || Boolean(reason);
  return (
    <>
      <button
        type="button"
        className="btn"
        data-kind={kind}
        data-size={size}
        data-icon={label === undefined ? undefined : ""}
        aria-label={label}
        title={reason ?? (label === undefined ? undefined : label)}
        aria-disabled={disabled || undefined}
        aria-describedby={reason ? described : undefined}
        aria-busy={busy || undefined}
        {...rest}
        onClick={(event) => (disabled ? event.preventDefault() : onClick?.(event))}
      >
        {busy ? <Spinner /> : icon !== undefined && <Icon name={icon} />}
        {children}
      </button>
      {reason && (
        <span className="sr" id={described}>
          {reason}
        </span>
      )}
    </>
  );
}

export function LinkButton({ kind, size, icon, label, href, children }: Looks & { href: string; children?: ReactNode }) {
  return (
    <Link
      href={href}
      className="btn"
      data-kind={kind}
      data-size={size}
      data-icon={label === undefined ? undefined : ""}
      aria-label={label}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </Link>
  );
}

/** A link that leaves the page, in a new tab, without telling where it came from. */
export function Out({ href, children, className = "out", label }: { href: string; children?: ReactNode; className?: string; label?: string }) {
  return (
    <a className={className} href={href} target="_blank" rel="noreferrer" aria-label={label}>
      {children}
      <Icon name="out" />
    </a>
  );
}
