// Turns: readings of one thing, one at a time, so that an older answer never ends up above a newer.

/**
 * Let readings of the same thing take turns. Who asks while one is under way gets the next one,
 * together with everybody else who waits: what is under way may have looked already.
 */
export function inTurn<T>(read: (of: string) => Promise<T>): (of: string) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  const waiting = new Map<string, Promise<T>>();

  function begin(of: string): Promise<T> {
    const reading = read(of).finally(() => running.delete(of));
    running.set(of, reading);
    return reading;
  }

  return function ask(of: string): Promise<T> {
    const now = running.get(of);
    if (!now) return begin(of);
    const next = waiting.get(of) ?? now.then(again, again);
    waiting.set(of, next);
    return next;

    function again(): Promise<T> {
      waiting.delete(of);
      return ask(of);
    }
  };
}
