import Long from 'long';
import { describe, expect, test } from 'vitest';
import { ProtocolError, UnsupportedVersionError } from '../../src/errors.ts';
import { apiVersions, type ApiVersionsResponse } from '../../src/protocol/api/api-versions.ts';
import { heartbeat } from '../../src/protocol/api/heartbeat.ts';
import {
  decodeRequestFrame,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
  peekRequestHeader,
  readCorrelationId,
} from '../../src/protocol/header.ts';

const REQUEST = { groupId: 'g', generationId: 3, memberId: 'm', groupInstanceId: null };
const RESPONSE = { throttleTimeMs: 0, errorCode: 27 };

describe('request frames', () => {
  test('have length, header and body, in one buffer', () => {
    const frame = encodeRequestFrame(heartbeat, 0, 258, 'me', REQUEST);
    expect(frame.toString('hex')).toBe(
      ['00000016', '000c', '0000', '00000102', '00026d65', '000167', '00000003', '00016d'].join(''),
    );
  });

  test('of flexible versions have tagged fields, but a client id of the old kind', () => {
    const frame = encodeRequestFrame(heartbeat, 4, 258, 'me', REQUEST);
    expect(frame.toString('hex')).toBe(
      ['00000017', '000c', '0004', '00000102', '00026d65', '00', '0267', '00000003', '026d', '00', '00'].join(''),
    );
  });

  test('are read back by a server, also without a client id', () => {
    for (let version = 0; version <= 4; version++) {
      const frame = encodeRequestFrame(heartbeat, version, 2 ** 31 - 1, null, REQUEST).subarray(4);
      const header = {
        requestApiKey: 12,
        requestApiVersion: version,
        correlationId: 2 ** 31 - 1,
        clientId: null,
      };
      expect(peekRequestHeader(frame)).toEqual(header);
      expect(decodeRequestFrame(heartbeat, frame)).toEqual({ header, body: REQUEST });
    }
  });

  test('grow beyond the first buffer', () => {
    const groupId = 'x'.repeat(30_000);
    const frame = encodeRequestFrame(heartbeat, 4, 1, 'me', { ...REQUEST, groupId });
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    expect(decodeRequestFrame(heartbeat, frame.subarray(4)).body.groupId).toBe(groupId);
  });

  test('of a version that the codec does not have are refused on both sides', () => {
    expect(() => encodeRequestFrame(heartbeat, 5, 1, 'me', REQUEST)).toThrow(UnsupportedVersionError);
    const frame = encodeRequestFrame(heartbeat, 4, 1, 'me', REQUEST).subarray(4);
    frame.writeInt16BE(5, 2);
    expect(() => decodeRequestFrame(heartbeat, frame)).toThrow('Heartbeat v5: only 0-4 are known');
  });

  test('of another api are refused', () => {
    const frame = encodeRequestFrame(heartbeat, 4, 1, 'me', REQUEST).subarray(4);
    expect(() => decodeRequestFrame(apiVersions, frame)).toThrow(ProtocolError);
  });
});

describe('response frames', () => {
  test('carry the correlation id first', () => {
    for (let version = 0; version <= 4; version++) {
      const frame = encodeResponseFrame(heartbeat, version, 77, RESPONSE);
      expect(frame.readInt32BE(0)).toBe(frame.length - 4);
      expect(readCorrelationId(frame.subarray(4))).toBe(77);
      expect(decodeResponseFrame(heartbeat, version, frame.subarray(4))).toEqual(RESPONSE);
    }
  });

  test('a frame too short for its correlation id is a ProtocolError', () => {
    expect(() => readCorrelationId(Buffer.alloc(3))).toThrow(ProtocolError);
  });

  test('errors count bytes from the start of the body', () => {
    const frame = encodeResponseFrame(heartbeat, 4, 77, RESPONSE).subarray(4);
    const cut = (): unknown => decodeResponseFrame(heartbeat, 4, frame.subarray(0, frame.length - 2));
    expect(cut).toThrow('Heartbeat v4: expected 2 more bytes, found 1 (at byte 4)');
    expect(cut).toThrow(expect.objectContaining({ api: 'Heartbeat', version: 4, position: 4 }));
  });

  test('bytes left over are a ProtocolError', () => {
    const frame = encodeResponseFrame(heartbeat, 4, 77, RESPONSE).subarray(4);
    const longer = Buffer.concat([frame, Buffer.from([1, 2, 3])]);
    expect(() => decodeResponseFrame(heartbeat, 4, longer)).toThrow('Heartbeat v4: 3 bytes left over');
  });
});

describe('ApiVersions', () => {
  const reply: ApiVersionsResponse = {
    errorCode: 35,
    apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 3 }],
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeaturesEpoch: Long.NEG_ONE,
    finalizedFeatures: [],
    zkMigrationReady: false,
  };

  test.each([0, 1, 2, 3, 4])('asked in v%s, a broker that does not know it answers in v0 (KIP-511)', (version) => {
    const frame = encodeResponseFrame(apiVersions, 0, 1, reply).subarray(4);
    expect(decodeResponseFrame(apiVersions, version, frame)).toEqual(reply);
    const empty = encodeResponseFrame(apiVersions, 0, 1, { ...reply, apiKeys: [] }).subarray(4);
    expect(decodeResponseFrame(apiVersions, version, empty).apiKeys).toEqual([]);
  });

  test.each([0, 1, 2, 3, 4])('an answer in v%s with the same error is read as what it is', (version) => {
    const full = version >= 1 ? { ...reply, throttleTimeMs: 5 } : reply;
    const frame = encodeResponseFrame(apiVersions, version, 1, full).subarray(4);
    expect(decodeResponseFrame(apiVersions, version, frame)).toEqual(full);
  });

  test('an answer cut short is a ProtocolError, not a guess', () => {
    const frame = encodeResponseFrame(apiVersions, 0, 1, reply).subarray(4);
    for (let length = 0; length < frame.length; length++) {
      expect(() => decodeResponseFrame(apiVersions, 4, frame.subarray(0, length))).toThrow(ProtocolError);
    }
  });
});
