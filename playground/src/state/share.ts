//! Links that carry an operation. It stands in the fragment only, which browsers send to nobody; headers never do.

import type { Content } from './tabs';

/** A link longer than this is cut somewhere on its way. */
export const LINK_CHARACTERS_MAX = 32_000;
/** What a link may unfold to. */
const TEXT_BYTES_MAX = 1_000_000;

async function through(bytes: Uint8Array, stream: CompressionStream | DecompressionStream, limit: number) {
  const reader = new Blob([bytes as BlobPart])
    .stream()
    .pipeThrough(stream as ReadableWritablePair<Uint8Array, Uint8Array>)
    .getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      throw new Error('it is too large');
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

const toText = (bytes: Uint8Array) =>
  btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const toBytes = (text: string) =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), char => char.charCodeAt(0));

/** The fragment that opens an operation: `#/query?share=...`. */
export async function fragmentOf({ query, variables }: Content): Promise<string> {
  const plain = new TextEncoder().encode(JSON.stringify([query, variables]));
  const packed = await through(plain, new CompressionStream('deflate-raw'), TEXT_BYTES_MAX);
  return `#/query?share=${toText(packed)}`;
}

/** The operation of a fragment. Fails with a sentence when it is none. */
export async function contentOf(share: string): Promise<Content> {
  try {
    const plain = await through(toBytes(share), new DecompressionStream('deflate-raw'), TEXT_BYTES_MAX);
    const [query, variables] = JSON.parse(new TextDecoder().decode(plain));
    if (typeof query !== 'string' || typeof variables !== 'string') throw new Error('it holds no operation');
    return { query, variables };
  } catch {
    throw new Error('This link is damaged: it holds no operation. Ask for it again.');
  }
}
