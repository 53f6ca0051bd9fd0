//! A plan: steps, what they expect and found, their share of the time. A scan is said loudly.

import { warningsOf } from '../../api/http';
import { type PlanRow, rowsOf } from '../../plan';
import type { Outcome } from './run';

interface Props {
  outcome?: Outcome;
  writes: boolean;
  explain(measured: boolean): void;
}

export function PlanView({ outcome, writes, explain }: Props) {
  const plan = outcome?.plan;
  const rows = rowsOf(plan?.nodes);
  const warnings = plan?.measured ? warningsOf(outcome?.reply?.body.extensions) : [];
  return (
    <div class="grow scroll" role="region" aria-label="Plan" tabIndex={0}>
      <p class="note">
        <button type="button" class="plain" onClick={() => explain(false)}>
          Estimate
        </button>
        <button type="button" class="plain" onClick={() => explain(true)}>
          {writes ? 'Run the mutation and measure' : 'Run and measure'}
        </button>
        <span class="muted">
          {plan ? (plan.measured ? 'Measured: it ran.' : 'Estimated: nothing ran.') : 'Estimate runs nothing.'}
        </span>
      </p>
      {warnings.map(warning => (
        <p key={warning} class="note warn-note">
          <b class="warn">⚠</b> {warning}
        </p>
      ))}
      {rows.length > 0 && <PlanTable rows={rows} />}
    </div>
  );
}

/** The steps of a plan, indented below what they are part of. */
export function PlanTable({ rows }: { rows: readonly PlanRow[] }) {
  return (
    <div class="plan">
      <table class="grid" aria-label="Plan">
        <thead>
          <tr>
            <th scope="col">step</th>
            <th scope="col">detail</th>
            <th scope="col" class="number">
              est.
            </th>
            <th scope="col" class="number">
              rows
            </th>
            <th scope="col" class="number">
              ms
            </th>
            <th scope="col">share</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ node, depth, share, scans }, at) => (
            <tr key={at}>
              <td class="mono step">
                {'  '.repeat(depth)}
                {scans && <b class="warn">⚠ </b>}
                {node.op}
              </td>
              <td class="mono wrap">
                {node.warning && <b class="warn">{node.warning} </b>}
                {node.detail}
                {node.index && !node.detail.includes(node.index) && <span class="muted"> · index {node.index}</span>}
              </td>
              <td class="number">{count(node.estimatedRows)}</td>
              <td class="number">{count(node.actualRows)}</td>
              <td class="number">
                {node.micros === null || node.micros === undefined ? '' : (node.micros / 1000).toFixed(2)}
              </td>
              <td>
                {share !== undefined && <meter min={0} max={1} value={share} aria-label={`share of ${node.op}`} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Thousands apart by a thin space. */
export const count = (value: number | null | undefined): string =>
  value === null || value === undefined
    ? ''
    : Math.round(value)
        .toString()
        .replace(/\B(?=(\d{3})+$)/g, '\u2009');
