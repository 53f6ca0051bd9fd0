//! A plan as rows of a table: depth first, each with its share of the time.

import type { PlanNode } from './api/http';

export interface PlanRow {
  node: PlanNode;
  depth: number;
  /** Of the whole time, 0 to 1; nothing when it was not measured. */
  share?: number;
  /** Reads records that no index narrows down. */
  scans: boolean;
}

/** The rows of a plan, roots first. */
export function rowsOf(plan: PlanNode | PlanNode[] | undefined): PlanRow[] {
  const roots = plan === undefined ? [] : Array.isArray(plan) ? plan : [plan];
  const total = roots.reduce((sum, root) => sum + timeOf(root), 0);
  const rows: PlanRow[] = [];
  const walk = (node: PlanNode, depth: number) => {
    const share = node.micros === null || node.micros === undefined || total === 0 ? undefined : node.micros / total;
    rows.push({ node, depth, share, scans: isScan(node) });
    for (const child of node.children ?? []) walk(child, depth + 1);
  };
  for (const root of roots) walk(root, 0);
  return rows;
}

/** The time of a step; one that was not measured itself took what its parts did. */
const timeOf = (node: PlanNode): number =>
  node.micros ?? (node.children ?? []).reduce((sum, child) => sum + timeOf(child), 0);

const isScan = (node: PlanNode) => Boolean(node.warning) || /^(full ?)?scan$/i.test(node.op);
