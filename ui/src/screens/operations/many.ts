/** The same for many operations: one request over their instances, and a result for each operation. */

import { freshKey, instancesBatch, type OperationForm } from "@/api/client";
import { NoAnswer, Refusal } from "@/api/problems";
import { announce } from "@/lib/announce";
import { askUntilAnswered, MOST_PER_REQUEST } from "@/live/act";
import { keys, queryClient, readOperation } from "@/live/queries";
import { takeOperations } from "@/live/store";
import type { ResultRow } from "@/parts/BatchResults";

async function askSome(operations: readonly OperationForm[], action: string): Promise<ResultRow[]> {
  // One member stands for its operation: an action on it holds the whole deployment.
  const first = new Map(operations.flatMap((one) => (one.instance_ids[0] === undefined ? [] : [[one.id, one.instance_ids[0]] as const])));
  const named = (operation: OperationForm, error: unknown): ResultRow => ({ id: operation.id, name: operation.instance_names[0] ?? operation.deployment_name, error });
  const key = freshKey();
  const request = { headers: { "Idempotency-Key": key }, body: { action, ids: [...new Set(first.values())], reason: "manual" as const } };
  try {
    const whom = operations.length === 1 ? (operations[0]?.deployment_name ?? "") : `${operations.length} operations`;
    const { data } = await askUntilAnswered(whom, key, () => instancesBatch(request));
    const rows = new Map(data.items.map((row) => [row.id, row]));
    takeOperations(data.items.flatMap((row) => (row.operation && "steps" in row.operation ? [row.operation as unknown as OperationForm] : [])));
    return operations.map((operation) => {
      const row = rows.get(first.get(operation.id) ?? "");
      return named(operation, row === undefined ? new NoAnswer(null) : row.problem ? new Refusal(row.problem) : null);
    });
  } catch (error) {
    return operations.map((operation) => named(operation, error));
  }
}

export async function askMany(operations: readonly OperationForm[], action: string, label: string): Promise<ResultRow[]> {
  announce(`${label} of ${operations.length} asked`);
  const results: ResultRow[] = [];
  for (let from = 0; from < operations.length; from += MOST_PER_REQUEST) results.push(...(await askSome(operations.slice(from, from + MOST_PER_REQUEST), action)));
  await Promise.allSettled(operations.slice(0, 20).map((one) => readOperation(one.id)));
  void queryClient.invalidateQueries({ queryKey: keys.operations });
  return results;
}
