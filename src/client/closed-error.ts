import { CLIENT_ERROR_CODES, KafkaError } from '../errors.ts';

/** For every call that comes after `close()`. */
export function closedError(): KafkaError {
  return new KafkaError('the consumer is closed', { code: CLIENT_ERROR_CODES.CLOSED, name: 'ConsumerClosedError' });
}
