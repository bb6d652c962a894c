import type { RecordBatch, TopicPartition } from '../../src/index.ts';
import type { Database } from './database.ts';

/** Orders, and how far each partition has been read: in one database, so that one transaction changes both or neither. */
export class OrderStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.exec(`
      CREATE TABLE IF NOT EXISTS orders (customer TEXT NOT NULL, amount INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS positions (
        topic TEXT NOT NULL, part INTEGER NOT NULL, next_offset INTEGER NOT NULL, PRIMARY KEY (topic, part)
      );
    `);
  }

  /** The next record to read, or `null` where nothing of the partition is in the database. */
  position({ topic, partition }: TopicPartition): number | null {
    const row = this.#database.first('SELECT next_offset FROM positions WHERE topic = ? AND part = ?', [
      topic,
      partition,
    ]);
    return row === undefined ? null : Number(row[0]);
  }

  /**
   * Stores the batch and the position behind it.
   * @returns false, and stores nothing, where the partition has been read beyond the batch's beginning: by another member of the
   * group, to which it was given while this one was not looking
   */
  store(batch: RecordBatch): boolean {
    const { topic, partition, firstOffset, nextOffset } = batch;
    // Locks the database before it reads the position: nobody moves it between the two.
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const position = this.position(batch);
      const isOurs = position === null || position <= firstOffset;
      if (isOurs) {
        for (const record of batch) {
          const { customer, amount } = record.json<{ customer: string; amount: number }>() ?? {
            customer: '',
            amount: 0,
          };
          this.#database.run('INSERT INTO orders VALUES (?, ?)', [customer, amount]);
        }
        const sql =
          'INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset';
        this.#database.run(sql, [topic, partition, nextOffset]);
      }
      this.#database.exec('COMMIT');
      return isOurs;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  get totals(): { orders: number; amount: number } {
    const [orders = 0, amount = 0] =
      this.#database.first('SELECT count(*), coalesce(sum(amount), 0) FROM orders', []) ?? [];
    return { orders: Number(orders), amount: Number(amount) };
  }
}
