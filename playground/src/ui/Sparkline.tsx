//! Counts over time as a row of bars, for a cell of a table. What it shows is said in words beside it.

const HEIGHT = 16;
const BAR = 2;
const STEP = 3;

/** So many bars, the oldest first. */
const BARS = 20;

/** Sums of neighbours, as many as there are bars. */
export function folded(counts: readonly number[], bars = BARS): number[] {
  const each = Math.max(1, Math.ceil(counts.length / bars));
  const sum = (from: number) => counts.slice(from, from + each).reduce((total, count) => total + count, 0);
  return Array.from({ length: Math.ceil(counts.length / each) }, (_, at) => sum(at * each));
}

export function Sparkline({ counts, label }: { counts: readonly number[]; label: string }) {
  const bars = folded(counts);
  const most = Math.max(1, ...bars);
  // What is there at all is seen.
  const height = (count: number) => (count === 0 ? 1 : Math.max(3, Math.round((count / most) * HEIGHT)));
  return (
    <svg class="spark" width={BARS * STEP} height={HEIGHT} role="img" aria-label={label}>
      <title>{label}</title>
      {bars.map((count, at) => (
        <rect
          key={at}
          class={count ? 'used' : ''}
          x={at * STEP}
          y={HEIGHT - height(count)}
          width={BAR}
          height={height(count)}
        />
      ))}
    </svg>
  );
}
