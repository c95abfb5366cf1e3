// Named places to look at. West, south, east, north in degrees.

export const VIEWS = {
  province: [106.44, 20.68, 108.1, 21.66],
  bay: [106.88, 20.66, 107.34, 21.02],
  gates: [107.78, 21.4, 108.12, 21.62],
};

export const viewBounds = (name) => VIEWS[name] ?? VIEWS.province;
