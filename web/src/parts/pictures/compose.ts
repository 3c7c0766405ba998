// Channels of one sample become one colour picture: each in its window, gamma and colour, added up, clipped at white.

/** How one channel is drawn. Values outside `low` to `high` are black or white. */
export interface Layer {
  colour: string;
  low: number;
  high: number;
  gamma: number;
}

export interface Plane {
  width: number;
  height: number;
  values: ArrayLike<number>;
}

const LEVELS = 1024;

const TABLES_KEPT = 32;
const tables = new Map<string, Float32Array>();

/** Red, green and blue of each level; many pictures are drawn with the same few tables. */
function tableOf({ colour, gamma }: Layer): Float32Array {
  const key = `${colour} ${gamma}`;
  const table = tables.get(key) ?? madeTable(colour, gamma);
  if (tables.size >= TABLES_KEPT) tables.clear();
  tables.set(key, table);
  return table;
}

function madeTable(colour: string, gamma: number): Float32Array {
  const parts = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
  const table = new Float32Array(LEVELS * 3);
  for (let entry = 0; entry < table.length; entry++) {
    table[entry] = parts[entry % 3] * (Math.floor(entry / 3) / (LEVELS - 1)) ** gamma;
  }
  return table;
}

function add(sums: Float32Array, plane: Plane, layer: Layer): void {
  const table = tableOf(layer);
  const scale = (LEVELS - 1) / Math.max(layer.high - layer.low, 1e-12);
  for (let pixel = 0, sum = 0; pixel < plane.values.length; pixel++, sum += 3) {
    const level = (plane.values[pixel] - layer.low) * scale;
    const entry = (level <= 0 || Number.isNaN(level) ? 0 : level >= LEVELS - 1 ? LEVELS - 1 : level | 0) * 3;
    sums[sum] += table[entry];
    sums[sum + 1] += table[entry + 1];
    sums[sum + 2] += table[entry + 2];
  }
}

/** Sums of the last size, used again for the next picture. */
let kept = new Float32Array();

function zeros(length: number): Float32Array {
  if (kept.length !== length) kept = new Float32Array(length);
  return kept.fill(0);
}

/** Draw planes of one size into a canvas; a layer that is null leaves its plane out. */
export function compose(canvas: HTMLCanvasElement, planes: Plane[], layers: (Layer | null)[]): void {
  const { width, height } = planes[0];
  const sums = zeros(width * height * 3);
  planes.forEach((plane, channel) => {
    const layer = layers[channel];
    if (layer) add(sums, plane, layer);
  });
  const image = new ImageData(width, height);
  for (let pixel = 0, sum = 0; pixel < image.data.length; pixel += 4, sum += 3) {
    // The array clips at 255.
    image.data[pixel] = sums[sum];
    image.data[pixel + 1] = sums[sum + 1];
    image.data[pixel + 2] = sums[sum + 2];
    image.data[pixel + 3] = 255;
  }
  // A canvas is made anew whenever its size is set.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}
