import { describe, expect, it } from 'vitest';
import { chooseBroker } from './provide.ts';

describe('chooseBroker', () => {
  it('takes no broker where none is wanted, and says so', async () => {
    const choice = await chooseBroker({ SAMSA_BROKER: 'none', KAFKA_BOOTSTRAP_SERVERS: 'localhost:9092' });
    expect(choice).toEqual({ external: null, own: null, missing: 'SAMSA_BROKER=none' });
  });

  it('fails without a broker where one is required', async () => {
    const choice = chooseBroker({ SAMSA_BROKER: 'none', SAMSA_REQUIRE_BROKER: '1' });
    await expect(choice).rejects.toThrow('SAMSA_REQUIRE_BROKER=1, but SAMSA_BROKER=none');
  });

  it('refuses a kind that it does not know, and names those that it does', async () => {
    await expect(chooseBroker({ SAMSA_BROKER: 'podman' })).rejects.toThrow(
      "SAMSA_BROKER is 'podman', expected one of: docker, jvm, none",
    );
  });
});
