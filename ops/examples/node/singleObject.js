// Avro's single-object encoding: C3 01, the schema's fingerprint (CRC-64-AVRO, little-endian), the body.
// https://avro.apache.org/docs/1.12.0/specification/#single-object-encoding

const EMPTY = 0xc15d213aa4d7a795n;

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let entry = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) {
    entry = (entry >> 1n) ^ (EMPTY & -(entry & 1n));
  }
  return BigInt.asUintN(64, entry);
});

/** The fingerprint of a schema, over its canonical form: `type.schema()` in avsc. */
export function fingerprint(type) {
  let crc = EMPTY;
  for (const byte of Buffer.from(JSON.stringify(type.schema()))) {
    crc = (crc >> 8n) ^ TABLE[Number((crc ^ BigInt(byte)) & 0xffn)];
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(crc);
  return bytes;
}

/** A function from an event to the value of its record on Kafka. */
export function encoder(type) {
  const header = Buffer.concat([Buffer.from([0xc3, 0x01]), fingerprint(type)]);
  return (event) => Buffer.concat([header, type.toBuffer(event)]);
}
