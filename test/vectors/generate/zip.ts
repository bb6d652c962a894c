import { inflateRawSync } from 'node:zlib';

// Just enough of the ZIP format to read a jar: the directory at its end, and entries that are stored or deflated.

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const DEFLATED = 8;

export interface ZipEntry {
  readonly name: string;
  readonly read: () => Buffer;
}

/** @throws Error where `zip` is none */
export function entriesOf(zip: Buffer): ZipEntry[] {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error('no ZIP file');
  const entries: ZipEntry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== ENTRY) throw new Error('no entry where the directory of the ZIP file has one');
    const method = zip.readUInt16LE(at + 10);
    const size = zip.readUInt32LE(at + 20);
    const nameLength = zip.readUInt16LE(at + 28);
    const header = zip.readUInt32LE(at + 42);
    entries.push({
      name: zip.toString('utf8', at + 46, at + 46 + nameLength),
      read: () => {
        const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
        const bytes = zip.subarray(start, start + size);
        return method === DEFLATED ? inflateRawSync(bytes) : bytes;
      },
    });
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}
