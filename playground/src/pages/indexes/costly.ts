//! What the server says that operations took, as it is shown.

import { Kind, type OperationDefinitionNode, parse } from 'graphql';
import type { OperationCost } from '../../api/admin';

/** An operation's name: its own, else the fields that it begins with. */
export function nameOf(cost: Pick<OperationCost, 'document' | 'operationName'>): string {
  const operation = operationOf(cost);
  if (!operation) return cost.operationName ?? `${cost.document.trim().slice(0, 40)} …`;
  const fields = operation.selectionSet.selections.map(one =>
    one.kind === Kind.INLINE_FRAGMENT ? '…' : one.name.value,
  );
  return operation.name?.value ?? fields.join(', ');
}

/** The variables that must be given before a plan can be made, as the operation names them. */
export function wanted(cost: Pick<OperationCost, 'document' | 'operationName'>): string[] {
  const variables = operationOf(cost)?.variableDefinitions ?? [];
  return variables
    .filter(one => one.type.kind === Kind.NON_NULL_TYPE && !one.defaultValue)
    .map(one => `$${one.variable.name.value}`);
}

/** `1 204 runs, half within 0.8 ms, 99 % within 12.5 ms, 3 failed`. */
export function summary(cost: OperationCost, number: (value: number) => string): string {
  const calls = Number(cost.calls);
  if (calls === 1) return Number(cost.failures) > 0 ? '1 run, failed' : '1 run';
  const parts = [
    `${number(calls)} runs`,
    `half within ${millis(cost.p50Micros)}`,
    `99 % within ${millis(cost.p99Micros)}`,
  ];
  if (Number(cost.failures) > 0) parts.push(`${number(Number(cost.failures))} failed`);
  return parts.join(', ');
}

/** Three digits that count, in the unit that fits. */
export function millis(micros: string): string {
  const value = Number(micros) / 1000;
  return value < 1000 ? `${Number(value.toPrecision(3))} ms` : `${Number((value / 1000).toPrecision(3))} s`;
}

function operationOf({ document, operationName }: Pick<OperationCost, 'document' | 'operationName'>) {
  try {
    const operations = parse(document, { noLocation: true }).definitions.filter(
      (one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION,
    );
    return operations.find(one => one.name?.value === operationName) ?? operations[0];
  } catch {
    // Only the beginning of it is there.
    return undefined;
  }
}
