/** Errors that pass by themselves: each is told once, until the API that said it has succeeded. */
export class Troubles {
  readonly #told = new Map<string, number>();

  /** Returns true where `errorCode` is not what this API said the last time. */
  isNews(api: string, errorCode: number): boolean {
    if (this.#told.get(api) === errorCode) return false;
    this.#told.set(api, errorCode);
    return true;
  }

  /** The API has succeeded. */
  over(api: string): void {
    this.#told.delete(api);
  }
}
