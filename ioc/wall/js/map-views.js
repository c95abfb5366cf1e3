// Named places to look at. West, south, east, north in degrees.

export const VIEWS = {
  province: [106.36, 20.68, 108.16, 21.66],
  bay: [106.88, 20.66, 107.34, 21.02],
  gates: [107.78, 21.4, 108.12, 21.62],
};

/** What the geodata covers; beyond it there would be sea where there is none. */
export const COVERED = [106.2, 20.4, 108.8, 21.9];

export const viewBounds = (name) => VIEWS[name] ?? VIEWS.province;
