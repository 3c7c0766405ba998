// Exact pixels of a sample in the image's own values: only `cellfeat view` gives them.

import { isServed } from "../../loader";
import type { Plane } from "./compose";

interface Header {
  dtype: string;
  /** Channels, height, width. */
  shape: [number, number, number];
}

const READERS: Record<string, (bytes: ArrayBuffer) => ArrayLike<number>> = {
  uint8: (bytes) => new Uint8Array(bytes),
  int8: (bytes) => new Int8Array(bytes),
  uint16: (bytes) => new Uint16Array(bytes),
  int16: (bytes) => new Int16Array(bytes),
  uint32: (bytes) => new Uint32Array(bytes),
  int32: (bytes) => new Int32Array(bytes),
  float32: (bytes) => new Float32Array(bytes),
  float64: (bytes) => new Float64Array(bytes),
};

/** The crop of a sample, a plane a channel; null where the page is not served or the image cannot be read. */
export async function cropOf(row: number): Promise<Plane[] | null> {
  if (!isServed) return null;
  try {
    const answer = await fetch(`crop/${row}`);
    return answer.ok ? planesOf(await answer.arrayBuffer()) : null;
  } catch {
    return null;
  }
}

function planesOf(bytes: ArrayBuffer): Plane[] | null {
  const length = new DataView(bytes).getUint32(0, true);
  const { dtype, shape } = JSON.parse(new TextDecoder().decode(bytes.slice(4, 4 + length))) as Header;
  const read = READERS[dtype];
  if (!read) return null;
  const [nChannels, height, width] = shape;
  const values = Array.from(read(bytes.slice(4 + length)));
  const size = height * width;
  return Array.from({ length: nChannels }, (_, channel) => {
    return { width, height, values: values.slice(channel * size, (channel + 1) * size) };
  });
}
