// A linear scale with the functions that the plot calls: it keeps the part of the map that is shown.

export interface LinearScale {
  (value: number): number;
  domain(): [number, number];
  domain(next: [number, number]): LinearScale;
  range(): [number, number];
  range(next: [number, number]): LinearScale;
  copy(): LinearScale;
}

export function linearScale(domain: [number, number] = [-1, 1], range: [number, number] = [0, 1]): LinearScale {
  let [from, to] = [domain, range];
  const scale = ((value: number) => to[0] + ((value - from[0]) / (from[1] - from[0])) * (to[1] - to[0])) as LinearScale;
  scale.domain = ((next?: [number, number]) => (next ? ((from = next), scale) : from)) as LinearScale["domain"];
  scale.range = ((next?: [number, number]) => (next ? ((to = next), scale) : to)) as LinearScale["range"];
  scale.copy = () => linearScale(from, to);
  return scale;
}
