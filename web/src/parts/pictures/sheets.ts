// Sheets of grey thumbnails: a block of samples is loaded, decoded, and kept while there is room.

import type { Page, Thumbnails } from "../../data";
import { isServed, loadBytes } from "../../loader";
import type { Plane } from "./compose";

/** Bytes of decoded sheets that are kept: three channels of 64 samples take 0.75 MiB. */
const MOST_BYTES = 96 * 2 ** 20;
/** Blocks that are decoded at a time: more would make the page wait. */
const AT_ONCE = 4;

/** One channel of a block, a byte a pixel. */
interface Sheet {
  width: number;
  values: Uint8Array;
}

/** Kept blocks, the one used last at the end. */
const kept = new Map<number, Sheet[]>();
const loading = new Map<number, Promise<Sheet[]>>();
let bytesKept = 0;

let nRunning = 0;
const queue: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (nRunning >= AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve));
  nRunning++;
  try {
    return await work();
  } finally {
    nRunning--;
    queue.shift()?.();
  }
}

/** The JPEG files of a shard: each follows its length, four bytes, little-endian. */
function filesOf(shard: Uint8Array): Uint8Array[] {
  const view = new DataView(shard.buffer, shard.byteOffset, shard.byteLength);
  const files: Uint8Array[] = [];
  for (let place = 0; place + 4 <= shard.byteLength; ) {
    const length = view.getUint32(place, true);
    files.push(shard.subarray(place + 4, place + 4 + length));
    place += 4 + length;
  }
  return files;
}

async function decoded(file: Uint8Array): Promise<Sheet> {
  const bitmap = await createImageBitmap(new Blob([file as BlobPart], { type: "image/jpeg" }));
  const { width, height } = bitmap;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, width, height).data;
  const values = new Uint8Array(width * height);
  for (let pixel = 0; pixel < values.length; pixel++) values[pixel] = pixels[pixel * 4];
  return { width, values };
}

function keep(block: number, sheets: Sheet[]): void {
  kept.set(block, sheets);
  bytesKept += sizeOf(sheets);
  for (const [oldest, old] of kept) {
    if (bytesKept <= MOST_BYTES || oldest === block) return;
    kept.delete(oldest);
    bytesKept -= sizeOf(old);
  }
}

function sizeOf(sheets: Sheet[]): number {
  return sheets.reduce((total, { values }) => total + values.byteLength, 0);
}

function sheetsOf(block: number): Promise<Sheet[]> {
  const known = kept.get(block);
  if (known) {
    kept.delete(block);
    kept.set(block, known);
    return Promise.resolve(known);
  }
  const underWay = loading.get(block);
  if (underWay) return underWay;
  const sheets = inTurn(async () => Promise.all(filesOf(await loadBytes(`thumbnails-${block}`, false)).map(decoded)));
  loading.set(block, sheets);
  sheets.then((done) => keep(block, done)).catch(() => undefined).finally(() => loading.delete(block));
  return sheets;
}

function cut({ width, values }: Sheet, { side, across }: Thumbnails, place: number): Plane {
  const start = Math.floor(place / across) * side * width + (place % across) * side;
  if (start + side > values.length) throw new Error("there is no picture of this sample");
  const cell = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) cell.set(values.subarray(start + y * width, start + y * width + side), y * side);
  return { width: side, height: side, values: cell };
}

/** Whether this page can show pictures: those that only `cellfeat view` gives need to be served. */
export function hasPictures({ thumbnails }: Page): boolean {
  return thumbnails !== null && (thumbnails.from === "shards" || isServed);
}

/** Whether a sample has a picture. */
export function hasPicture(page: Page, row: number): boolean {
  return hasPictures(page) && row < (page.thumbnails!.count ?? page.nSamples);
}

/** The thumbnail of a sample, a plane a channel with values 0 to 255. */
export async function thumbnailOf(page: Page, row: number): Promise<Plane[]> {
  const { thumbnails } = page;
  if (!thumbnails || !hasPicture(page, row)) throw new Error("there is no picture of this sample");
  const sheets = await sheetsOf(Math.floor(row / thumbnails.perBlock));
  return sheets.map((sheet) => cut(sheet, thumbnails, row % thumbnails.perBlock));
}
