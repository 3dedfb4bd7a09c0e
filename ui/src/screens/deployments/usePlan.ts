/** Asking for a plan, and applying exactly that plan. A plan is of one draft: another keystroke makes it old. */

import { useState } from "react";
import { useLocation } from "wouter";

import { type DeploymentForm, deploymentsModify, deploymentsPlan, freshKey, type Plan } from "@/api/client";
import { NoAnswer, Refusal } from "@/api/problems";
import { announce } from "@/lib/announce";
import { takeOperations } from "@/live/store";

import type { Drafting } from "./useDraft";

interface Made {
  plan: Plan;
  patch: string;
  at: number;
  /** One key for each plan: applying it again after no answer cannot happen twice. */
  key: string;
}

export interface Planning {
  plan: Plan | null;
  madeAt: number | null;
  /** The draft has changed since. */
  old: boolean;
  busy: "planning" | "applying" | null;
  problem: unknown;
  errors: Record<string, string>;
  make: () => Promise<void>;
  apply: () => Promise<void>;
  /** Put the draft on what was saved meanwhile; the next plan is against that. */
  planOn: () => void;
}

function pointed(error: unknown): Record<string, string> {
  return error instanceof Refusal ? Object.fromEntries((error.problem.errors ?? []).map((one) => [one.pointer, one.detail])) : {};
}

export function usePlan(deployment: DeploymentForm, drafting: Drafting, reread: () => Promise<void>): Planning {
  const [made, setMade] = useState<Made | null>(null);
  const [busy, setBusy] = useState<Planning["busy"]>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [, navigate] = useLocation();
  const text = JSON.stringify(drafting.patch);

  const make = async (): Promise<void> => {
    setBusy("planning");
    setProblem(null);
    try {
      const { data } = await deploymentsPlan({ path: { key: deployment.id }, body: drafting.patch });
      setMade({ plan: data, patch: text, at: Date.now(), key: freshKey() });
    } catch (error) {
      setMade(null);
      setProblem(error);
    }
    setBusy(null);
  };

  const apply = async (): Promise<void> => {
    if (made === null) return;
    setBusy("applying");
    setProblem(null);
    try {
      const { data } = await deploymentsModify({
        path: { key: deployment.id },
        headers: { "Idempotency-Key": made.key },
        body: { ...drafting.patch, plan_id: made.plan.id },
      });
      takeOperations([data.operation]);
      announce(`Changes to ${deployment.name} accepted`);
      drafting.discard();
      navigate(`/operations/${data.operation.id}`);
    } catch (error) {
      // Somebody was faster: what they saved is read, and the conflict view shows both.
      if (error instanceof Refusal && error.problem.status === 412) {
        setMade(null);
        await reread();
      } else if (!(error instanceof NoAnswer)) setMade(null);
      setProblem(error);
    }
    setBusy(null);
  };

  return {
    plan: made?.plan ?? null,
    madeAt: made?.at ?? null,
    old: made !== null && made.patch !== text,
    busy,
    problem,
    errors: pointed(problem),
    make,
    apply,
    planOn: () => {
      drafting.rebaseOnTheirs();
      setMade(null);
      setProblem(null);
    },
  };
}
