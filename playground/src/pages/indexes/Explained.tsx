//! The plan of one of the listed operations, below it, and the index that would help.

import { messageOf } from '../../api/errors';
import { execute, type Operation } from '../../api/http';
import { type PlanRow, rowsOf } from '../../plan';
import { missingIndex, suggestDirective } from '../data/suggest-index';
import { PlanTable } from '../query/Plan';

export interface Explanation {
  rows: PlanRow[];
  fault?: string;
}

/** The plan that an operation would have now. */
export async function explanationOf(operation: Operation): Promise<Explanation> {
  try {
    const { body } = await execute(operation, { explain: 'plan' });
    return { rows: rowsOf(body.extensions?.plan), fault: body.errors?.[0]?.message };
  } catch (error) {
    return { rows: [], fault: messageOf(error) };
  }
}

export function Explained({ explanation: { rows, fault } }: { explanation: Explanation }) {
  if (fault) return <p class="bad whole">{fault}</p>;
  const warnings = rows.filter(row => row.node.warning);
  return (
    <div class="whole" role="region" aria-label="Plan" tabIndex={0}>
      {warnings.length === 0 && <p class="ok">✓ Indexes serve all of it.</p>}
      <PlanTable rows={rows} />
      {warnings.map(({ node }) => {
        const missing = missingIndex(node.warning ?? '', node.detail);
        return (
          missing && (
            <p key={missing.directive}>
              <button
                type="button"
                class="plain"
                onClick={() => void suggestDirective(missing.type, missing.directive)}
              >
                Write the index into the schema
              </button>{' '}
              <code class="mono">
                {missing.type} {missing.directive}
              </code>
            </p>
          )
        );
      })}
    </div>
  );
}
