// Shards: pieces of data that are loaded when they are needed. `file://` forbids fetch, so that a folder holds them as
// scripts, which call `cellfeatShard(name, base64)`; a page in one file holds them as blocks of text.

declare global {
  interface Window {
    cellfeatShard: (name: string, base64: string) => void;
  }
}

const waiting = new Map<string, (bytes: Uint8Array) => void>();
const loaded = new Map<string, Promise<Uint8Array>>();

window.cellfeatShard = (name, base64) => {
  waiting.get(name)?.(bytesOf(base64));
  waiting.delete(name);
};

/** Whether `cellfeat view` serves the page. */
export const isServed = location.protocol.startsWith("http");

function bytesOf(base64: string): Uint8Array {
  if ("fromBase64" in Uint8Array) return (Uint8Array as unknown as { fromBase64: (text: string) => Uint8Array }).fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return bytes;
}

function embedded(name: string): Uint8Array | null {
  const element = document.querySelector(`script[data-shard="${CSS.escape(name)}"]`);
  return element ? bytesOf((element.textContent ?? "").trim()) : null;
}

function fromScript(name: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    waiting.set(name, resolve);
    script.onload = () => script.remove();
    script.onerror = () => {
      waiting.delete(name);
      script.remove();
      reject(new Error(`shards/${name}.js cannot be read: the folder of this page is incomplete`));
    };
    script.src = `shards/${encodeURIComponent(name)}.js`;
    document.head.append(script);
  });
}

/** The bytes of a shard; they are kept, unless `keeps` is false. */
export function loadBytes(name: string, keeps = true): Promise<Uint8Array> {
  const known = loaded.get(name);
  if (known) return known;
  const found = embedded(name);
  const bytes = found ? Promise.resolve(found) : fromScript(name);
  loaded.set(name, bytes);
  bytes.then(
    () => keeps || loaded.delete(name),
    () => loaded.delete(name),
  );
  return bytes;
}

export async function loadJson<T>(name: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await loadBytes(name))) as T;
}
