// Quality of one row: 0 good, 1 uncertain, 2 stale, 3 bad.

export const GOOD = 0;
export const UNCERTAIN = 1;
export const STALE = 2;
export const BAD = 3;

export const isStale = (row) => row.q >= STALE;
