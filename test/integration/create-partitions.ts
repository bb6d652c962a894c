import { inject } from 'vitest';
import { KafkaError } from '../../src/errors.ts';
import type { Api } from '../../src/protocol/api.ts';
import { kafkaErrorOf } from '../../src/protocol/error-codes.ts';
import type { TestAdmin } from '../harness/admin.ts';

interface CreatePartitionsRequest {
  topic: string;
  count: number;
}

interface CreatePartitionsResponse {
  errorCode: number;
}

/** CreatePartitions (KIP-195) as far as a test needs it: version 0, one topic, placed by the broker. */
const createPartitions: Api<CreatePartitionsRequest, CreatePartitionsResponse> = {
  key: 37,
  name: 'CreatePartitions',
  minVersion: 0,
  maxVersion: 0,
  flexibleFrom: 2,

  encodeRequest(w, v, { topic, count }) {
    w.array(v, [topic], (writer, _, name) => {
      writer.string(name);
      writer.int32(count);
      writer.int32(-1); // assignments: null
    });
    w.int32(15_000); // timeoutMs
    w.bool(false); // validateOnly
  },

  decodeRequest() {
    throw new KafkaError('no test needs it');
  },

  encodeResponse() {
    throw new KafkaError('no test needs it');
  },

  decodeResponse(r, v) {
    r.int32(); // throttleTimeMs
    const [result] = r.array(v, (reader) => {
      reader.string(); // name
      const errorCode = reader.int16();
      reader.nullableString(); // errorMessage
      return { errorCode };
    });
    return result ?? r.fail('no result');
  },
};

/** Has a topic grow to `count` partitions. */
export async function growTopic(admin: TestAdmin, topic: string, count: number): Promise<void> {
  const { growTopicUrl } = inject('broker');
  if (growTopicUrl !== undefined) {
    const { ok } = await fetch(`${growTopicUrl}?${new URLSearchParams({ topic, count: String(count) }).toString()}`);
    if (!ok) throw new Error(`${topic} did not grow`);
    return;
  }
  const { errorCode } = await admin.send(createPartitions, { topic, count });
  if (errorCode !== 0) throw kafkaErrorOf(errorCode, { api: 'CreatePartitions', context: topic });
}
